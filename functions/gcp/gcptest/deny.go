package gcptest

import (
	"slices"
	"strings"
)

// denyPolicy is a policy of
// https://docs.cloud.google.com/iam/docs/reference/rest/v2/policies.
type denyPolicy struct {
	Name        string     `json:"name,omitempty"`
	UID         string     `json:"uid,omitempty"`
	Kind        string     `json:"kind,omitempty"`
	DisplayName string     `json:"displayName,omitempty"`
	Etag        string     `json:"etag,omitempty"`
	CreateTime  string     `json:"createTime,omitempty"`
	Rules       []denyRule `json:"rules,omitempty"`
}

type denyRule struct {
	Description string     `json:"description,omitempty"`
	DenyRule    denyDetail `json:"denyRule"`
}

type denyDetail struct {
	DeniedPrincipals     []string   `json:"deniedPrincipals,omitempty"`
	ExceptionPrincipals  []string   `json:"exceptionPrincipals,omitempty"`
	DeniedPermissions    []string   `json:"deniedPermissions,omitempty"`
	ExceptionPermissions []string   `json:"exceptionPermissions,omitempty"`
	DenialCondition      *condition `json:"denialCondition,omitempty"`
}

func (c *Cloud) denyOn(node string) []*denyPolicy {
	var out []*denyPolicy
	for _, name := range sortedKeys(c.deny) {
		if attached(name) == node {
			out = append(out, c.deny[name])
		}
	}
	return out
}

// listDeny leaves the rules out, as the API does
// (https://docs.cloud.google.com/iam/docs/reference/rest/v2/policies/listPolicies).
func listDeny(c *Cloud, k *call) (any, *failure) {
	list := []denyPolicy{}
	for _, d := range c.denyOn(attached(k.resource)) {
		short := *d
		short.Rules = nil
		list = append(list, short)
	}
	return map[string]any{"policies": list}, nil
}

func getDeny(c *Cloud, k *call) (any, *failure) {
	if d := c.deny[k.resource]; d != nil {
		return d, nil
	}
	return nil, absent("Policy %s does not exist.", k.resource)
}

func createDeny(c *Cloud, k *call) (any, *failure) {
	var d denyPolicy
	if f := k.decode(&d); f != nil {
		return nil, f
	}
	id := k.query.Get("policyId")
	name := k.resource + "/" + id
	k.request = map[string]any{"@type": "type.googleapis.com/google.iam.v2.CreatePolicyRequest", "parent": k.resource, "policy_id": id, "policy": d}
	k.resource = name
	switch {
	case !isDeny.MatchString(name) || id == "":
		return nil, invalid("Invalid policy ID %q.", id)
	case c.deny[name] != nil:
		return nil, &failure{409, "ALREADY_EXISTS", "Policy " + name + " already exists."}
	case len(d.Rules) == 0 || len(d.Rules) > 500:
		return nil, invalid("A deny policy must have 1 to 500 rules.")
	}
	for _, r := range d.Rules {
		if r.DenyRule.DenialCondition != nil {
			return nil, invalid("Conditions of deny policies are not supported here.")
		}
		for _, p := range r.DenyRule.DeniedPermissions {
			if !strings.Contains(p, ".googleapis.com/") {
				return nil, invalid("Invalid permission %q: it must be SERVICE_FQDN/RESOURCE.ACTION.", p)
			}
		}
	}
	c.serial++
	d.Name, d.Kind, d.Etag, d.UID = name, "DenyPolicy", (&policy{generation: c.serial}).etag(), numberOf(name)
	d.CreateTime = c.opts.Now().UTC().Format("2006-01-02T15:04:05Z")
	c.deny[name] = &d
	return operation(k, d), nil
}

func deleteDeny(c *Cloud, k *call) (any, *failure) {
	k.request = map[string]any{"@type": "type.googleapis.com/google.iam.v2.DeletePolicyRequest", "name": k.resource}
	d := c.deny[k.resource]
	if d == nil {
		return nil, absent("Policy %s does not exist.", k.resource)
	}
	if e := k.query.Get("etag"); e != "" && e != d.Etag {
		return nil, aborted()
	}
	delete(c.deny, k.resource)
	return operation(k, *d), nil
}

// operation is the answer of a long-running method: the work is done by the
// time that somebody asks.
func operation(k *call, d denyPolicy) map[string]any {
	k.response = map[string]any{"@type": "type.googleapis.com/google.iam.v2.Policy", "name": d.Name, "etag": d.Etag}
	return map[string]any{"name": d.Name + "/operations/1", "done": false, "metadata": map[string]any{"@type": "type.googleapis.com/google.iam.v2.PolicyOperationMetadata", "createTime": d.CreateTime}}
}

// hits says whether a deny policy forbids a permission to one of some
// principals, given in the form of an allow policy's members
// (https://docs.cloud.google.com/iam/docs/deny-overview).
func (d *denyPolicy) hits(members []string, permission string) bool {
	for _, r := range d.Rules {
		if covers(r.DenyRule.DeniedPermissions, permission) && !covers(r.DenyRule.ExceptionPermissions, permission) &&
			means(r.DenyRule.DeniedPrincipals, members) && !means(r.DenyRule.ExceptionPrincipals, members) {
			return true
		}
	}
	return false
}

// covers matches cloudkms.googleapis.com/cryptoKeys.get, and with a star for the
// last part or the whole of it, against cloudkms.cryptoKeys.get.
func covers(list []string, permission string) bool {
	service, rest, _ := strings.Cut(permission, ".")
	full := service + ".googleapis.com/" + rest
	return slices.ContainsFunc(list, func(p string) bool {
		if start, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(full, start)
		}
		return p == full
	})
}

func means(principals, members []string) bool {
	return slices.ContainsFunc(principals, func(p string) bool {
		if p == "principalSet://goog/public:all" {
			return true
		}
		for _, m := range members {
			kind, address, _ := strings.Cut(m, ":")
			form := map[string]string{
				"group": "principalSet://goog/group/", "user": "principal://goog/subject/",
				"serviceAccount": "principal://iam.googleapis.com/projects/-/serviceAccounts/",
			}[kind]
			if form != "" && strings.EqualFold(p, form+address) {
				return true
			}
		}
		return false
	})
}
