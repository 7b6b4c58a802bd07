package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// Limits of IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxPolicy   = 6144 // characters of a managed policy, white space not counted
	maxAttached = 10   // managed policies of a role, by default
)

// statement is one of a policy, with the choice whether it is there.
type statement struct {
	body  map[string]any
	there Choice
}

// scope fills in a set of resources that permissions.json names.
type scope func(set string) (Set, error)

// scope is what the configuration lists.
func (w *watchdog) scope(set string) (Set, error) {
	store := "arn:" + w.in.Partition + ":s3:::" + w.in.Bucket
	switch set {
	case "keys":
		return w.in.Keys, nil
	case "enforced":
		return w.in.Enforced, nil
	case "enabling":
		return w.in.Enabling, nil
	case "every-key":
		return Of("arn:" + w.in.Partition + ":kms:*:*:key/*"), nil
	case "signing-key":
		return w.signingKey, nil
	case "secrets":
		return w.in.Secrets, nil
	case "bucket":
		return Of(store), nil
	case "records", "kept", "requests":
		return Of(store + "/" + w.in.Prefix + set + "/*"), nil
	case "configuration":
		return Of(), nil // it is in the package
	case "log-streams":
		return Of(w.arn("logs", "log-group:"+functionLog+":*")), nil
	case "dead-letters":
		return Of(w.arn("sqs", failedQueue)), nil
	case "everything":
		return Of("*"), nil
	}
	return Set{}, fmt.Errorf("permissions.json: the deployment does not know the resources %q", set)
}

// wide is scope for the boundary: the keys of the account and Region in place
// of the listed ones, which would not fit a second time. Which of them the
// role's own policies say, in Allow and in Deny.
func (w *watchdog) wide(set string) (Set, error) {
	s, err := w.scope(set)
	if set == "keys" || set == "enforced" || set == "enabling" {
		return Set{Values: []string{w.arn("kms", "key/*")}, Any: s.Any}, err
	}
	return s, err
}

// state turns a right into a statement.
func state(effect string, r Right, fill scope) (statement, error) {
	body := map[string]any{"Effect": effect}
	if r.ID != "" {
		body["Sid"] = r.ID
	}
	if len(r.Actions) > 0 {
		body["Action"] = r.Actions
	}
	if len(r.NotActions) > 0 {
		body["NotAction"] = r.NotActions
	}
	if r.Condition != nil {
		body["Condition"] = r.Condition
	}
	sets := r.On
	if len(sets) == 0 {
		sets = r.NotOn
	}
	var all Set
	for i, name := range sets {
		s, err := fill(name)
		if err != nil {
			return statement{}, err
		}
		if i > 0 && (s.list != nil || all.list != nil) {
			return statement{}, fmt.Errorf("permissions.json: %s: %v: a list that is a parameter stands alone", r.ID, sets)
		}
		if i > 0 {
			s = Of(slices.Concat(all.Values, s.Values)...)
		}
		all = s
	}
	if len(r.On) > 0 {
		body["Resource"] = all.List()
		return statement{body, all.Any}, nil
	}
	spared := clone(body)
	spared["NotResource"] = all.List()
	body["Resource"] = "*"
	if all.Any.condition == nil && !all.Any.Never() {
		body = spared
	} else if all.Any.condition != nil {
		return statement{map[string]any{"Fn::If": []any{all.Any.condition.LogicalId(), spared, body}}, Known(true)}, nil
	}
	return statement{body, Known(true)}, nil
}

func clone(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// group is the rights of one managed policy.
type group struct {
	name, effect, about string
	rights              []Right
}

// groups divides the rights into policies. What lists keys has one of its own
// per list, because two lists do not fit into one; so enforcing, and enabling,
// are each a policy that a review can see.
func groups(p Permissions) ([]group, error) {
	all := []group{
		{name: "read", effect: "Allow", about: "all that mode observe needs", rights: slices.Concat(p.Reading, p.Platform)},
		{name: "restore", effect: "Allow", about: "writes the policies of the keys in mode enforce"},
		{name: "enable", effect: "Allow", about: "enables the keys with key_state: restore"},
		{name: "deny", effect: "Deny", about: "what the role never does, whoever allows it"},
		{name: "deny-restore", effect: "Deny", about: "writes no policy of any other key"},
		{name: "deny-enable", effect: "Deny", about: "enables no other key"},
	}
	add := func(name string, r Right) {
		i := slices.IndexFunc(all, func(g group) bool { return g.name == name })
		all[i].rights = append(all[i].rights, r)
	}
	verbs := map[string]string{"enforced": "restore", "enabling": "enable"}
	for _, r := range p.Restoring {
		if len(r.On) != 1 || verbs[r.On[0]] == "" {
			return nil, fmt.Errorf("permissions.json: %s: no policy is named for restoring on %v", r.ID, r.On)
		}
		add(verbs[r.On[0]], r)
	}
	for _, r := range p.Deny {
		if len(r.NotOn) == 1 && verbs[r.NotOn[0]] != "" {
			add("deny-"+verbs[r.NotOn[0]], r)
		} else {
			add("deny", r)
		}
	}
	return all, nil
}

// statements renders rights, but for those that will never be there.
func statements(effect string, rights []Right, fill scope) ([]statement, error) {
	var out []statement
	for _, r := range rights {
		s, err := state(effect, r, fill)
		if err != nil {
			return nil, err
		}
		if !s.there.Never() {
			out = append(out, s)
		}
	}
	return out, nil
}

// document is the policy of some statements. where is the choice on which the
// whole policy depends already.
func document(where Choice, all []statement) map[string]any {
	var bodies []any
	for _, s := range all {
		if s.there == where {
			bodies = append(bodies, s.body)
		} else {
			bodies = append(bodies, s.there.Maybe(s.body))
		}
	}
	return map[string]any{"Version": "2012-10-17", "Statement": list(bodies...)}
}

// size is what IAM counts.
func size(document map[string]any) (int, error) {
	data, err := json.Marshal(document)
	return len(data), err
}

// divide makes as many documents of statements as IAM's limit takes, dividing
// the resources of what allows something. A denial can't be divided: one that
// spares half of the keys denies the other half.
func divide(name string, all []statement) ([][]statement, error) {
	out := [][]statement{nil}
	for _, s := range all {
		for {
			last := &out[len(out)-1]
			n, err := size(document(Known(true), append(slices.Clone(*last), s)))
			if err != nil {
				return nil, err
			}
			if n <= maxPolicy {
				*last = append(*last, s)
				break
			}
			resources, known := s.body["Resource"].([]string)
			fit := 0
			for known && s.body["Effect"] == "Allow" && fit < len(resources)-1 {
				if n, err = size(document(Known(true), append(slices.Clone(*last), s.on(resources[:fit+1])))); err != nil || n > maxPolicy {
					break
				}
				fit++
			}
			switch {
			case fit > 0:
				*last = append(*last, s.on(resources[:fit]))
				s = s.on(resources[fit:])
			case len(*last) == 0:
				return nil, fmt.Errorf("policy byokwatch-%s: %s has %d characters, IAM takes %d: about 75 keys can be in mode enforce in one account and Region; leave the others in mode observe", name, s.body["Sid"], n, maxPolicy)
			}
			out = append(out, nil)
		}
	}
	return out, nil
}

// on is the same statement about other resources.
func (s statement) on(resources []string) statement {
	body := clone(s.body)
	body["Resource"] = resources
	return statement{body, s.there}
}

// addRole declares the role of both functions, its policies and its boundary.
func (w *watchdog) addRole() error {
	gs, err := groups(w.from.Permissions)
	if err != nil {
		return err
	}
	var attached []any
	for _, g := range gs {
		all, err := statements(g.effect, g.rights, w.scope)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			continue
		}
		parts, err := divide(g.name, all)
		if err != nil {
			return err
		}
		where := all[0].there
		if slices.ContainsFunc(all, func(s statement) bool { return s.there != where }) {
			where = Known(true)
		}
		for i, part := range parts {
			name := g.name
			if i > 0 {
				name = fmt.Sprintf("%s-%d", name, i+1)
			}
			p := awsiam.NewCfnManagedPolicy(w.stack, jsii.String(logical("policy-"+name)), &awsiam.CfnManagedPolicyProps{
				ManagedPolicyName: jsii.String("byokwatch-" + name + "-" + w.in.Region),
				Description:       jsii.String(g.about),
				PolicyDocument:    document(where, part),
			})
			where.Put(p)
			attached = append(attached, where.MaybeText(*p.Ref()))
		}
	}
	if len(attached) > maxAttached {
		return fmt.Errorf("the role needs %d policies for its keys, IAM attaches %d: divide the keys among more accounts", len(attached), maxAttached)
	}
	boundary, err := w.addBoundary()
	if err != nil {
		return err
	}
	role := awsiam.NewCfnRole(w.stack, jsii.String("Role"), &awsiam.CfnRoleProps{
		RoleName:    jsii.String(w.roleName()),
		Description: jsii.String("what byokwatch in this Region may do"),
		AssumeRolePolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"},
		}}},
		ManagedPolicyArns:   &attached,
		PermissionsBoundary: boundary.Ref(),
	})
	w.role = *role.AttrArn()
	return nil
}

// nameless are rights without their IDs: space is scarce, and each is under its
// name in one of the role's own policies.
func nameless(rights ...[]Right) []Right {
	all := slices.Concat(rights...)
	for i := range all {
		all[i].ID = ""
	}
	return all
}

// addBoundary declares what the role may at most do, whatever is attached to it
// later.
func (w *watchdog) addBoundary() (awsiam.CfnManagedPolicy, error) {
	p := w.from.Permissions
	allow, err := statements("Allow", nameless(p.Reading, p.Platform, p.Restoring), w.wide)
	if err != nil {
		return nil, err
	}
	deny, err := statements("Deny", nameless(p.Deny), w.wide)
	if err != nil {
		return nil, err
	}
	doc := document(Known(true), slices.Concat(allow, deny))
	n, err := size(doc)
	if err != nil {
		return nil, err
	}
	if n > maxPolicy {
		return nil, fmt.Errorf("the boundary has %d characters, IAM takes %d: let the configuration refer to fewer secrets", n, maxPolicy)
	}
	return awsiam.NewCfnManagedPolicy(w.stack, jsii.String("Boundary"), &awsiam.CfnManagedPolicyProps{
		ManagedPolicyName: jsii.String("byokwatch-boundary-" + w.in.Region),
		Description:       jsii.String("what the role of byokwatch may do at most"),
		PolicyDocument:    doc,
	}), nil
}
