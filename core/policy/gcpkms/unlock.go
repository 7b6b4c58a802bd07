package gcpkms

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/pattern"
	"byokwatch/core/rawjson"
)

// The grammars of what else enters a command.
// Sources: https://cloud.google.com/iam/docs/creating-custom-roles,
// https://cloud.google.com/iam/docs/service-accounts-create,
// https://cloud.google.com/iam/docs/deny-access
var (
	roleGrammar    = pattern.New(`^(projects|organizations)/((?:[a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{2,62})/roles/([A-Za-z0-9_.]{3,64})$`)
	accountGrammar = pattern.New(`^[a-z0-9-]{1,63}@[a-z0-9.-]{1,253}\.gserviceaccount\.com$`)
	denyGrammar    = pattern.New(`^policies/(cloudresourcemanager\.googleapis\.com)%2[Ff](projects|folders|organizations)%2[Ff]((?:[a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{2,62}|[0-9]{1,20})/denypolicies/([a-z][a-z0-9.-]{0,62})$`)
	rightGrammar   = pattern.New(`^[a-z]+(\.[A-Za-z]+)+$`)
)

// unlocker collects command lines.
type unlocker struct {
	resource
	q     core.Question
	live  core.Policy
	lines []string
}

func (u *unlocker) add(lines ...string) { u.lines = append(u.lines, lines...) }

// Unlock lists the commands that an administrator runs to repair what the
// watchdog must not or can't: its own rights, custom roles, deny policies, key
// versions, and bindings where none was restored. A line that begins with #
// says what to do by hand. Only values that pass the grammar of their ID enter
// a line: for a key without a proper name there is nothing that could be run
// safely.
func Unlock(live core.Policy, q core.Question, missing []core.Requirement) []string {
	r, err := resourceOf(q.Key.ID)
	if err != nil {
		return nil
	}
	u := &unlocker{resource: r, q: q, live: live}
	u.rights(missing)
	u.access(missing)
	u.states(missing)
	return u.lines
}

// rights gives the watchdog what it lacks, in a custom role at the project: a
// binding on the key would go with the next wipe of its policy. Rights on the
// key are bound to the key's name and what is below it.
// Source: https://cloud.google.com/iam/docs/conditions-resource-attributes
func (u *unlocker) rights(missing []core.Requirement) {
	var onKey, above []string
	for _, r := range missing {
		switch {
		case r.Aspect != core.Own || !rightGrammar.MatchString(r.Permission):
		case strings.HasPrefix(r.Permission, "cloudkms.cryptoKey"):
			onKey = append(onKey, r.Permission)
		default:
			above = append(above, r.Permission)
		}
	}
	if len(onKey)+len(above) == 0 {
		return
	}
	u.add("# The watchdog lacks rights. Apply its deployment again, or:")
	if !accountGrammar.MatchString(u.q.Self) {
		u.add("# Give the watchdog's service account " + strings.Join(append(onKey, above...), ", ") + " at the project.")
		return
	}
	give := func(id string, rights []string, condition string) {
		if len(rights) > 0 {
			u.add(fmt.Sprintf("gcloud iam roles create %s --project=%s --permissions=%s", id, u.project, strings.Join(rights, ",")),
				fmt.Sprintf("gcloud projects add-iam-policy-binding %s --member=serviceAccount:%s --role=projects/%s/roles/%s --condition=%s", u.project, u.q.Self, u.project, id, condition))
		}
	}
	give("byokwatchKeyRepair", onKey, fmt.Sprintf(`'title=byokwatch,expression=resource.name == "%s" || resource.name.startsWith("%s/")'`, u.q.Key.ID, u.q.Key.ID))
	give("byokwatchProjectRepair", above, "None")
	u.denies(core.Own, missing, "principal://iam.googleapis.com/projects/-/serviceAccounts/"+u.q.Self)
}

// access repairs what gave Confluent its access: custom roles, or bindings in
// their place, then what denies.
func (u *unlocker) access(missing []core.Requirement) {
	if len(lacking(u.q, missing)) == 0 {
		return
	}
	group := u.q.Key.Needs.Group
	before := len(u.lines)
	dead := false
	for _, d := range u.live {
		if d.Kind != core.IAMPolicy || d.Unreadable != "" {
			continue
		}
		s, err := readSheet(d.Text)
		if err != nil {
			continue
		}
		dead = dead || s.dead(group)
		for _, g := range s.grants {
			if slices.ContainsFunc(g.members, func(m string) bool { return isGroup(m, group) }) {
				u.role(g.role, missing)
			}
		}
	}
	if dead {
		u.add("# IAM shows Confluent's group as deleted. Open a Confluent ticket: only Confluent can restore it or name another.")
	}
	roles := lacking(u.q, u.ungiven(missing))
	if len(roles) > 0 && len(u.lines) > before && !dead {
		u.add("# Or, in the place of the custom role:")
	}
	for _, role := range roles {
		u.add(u.command("add-iam-policy-binding", "--member=group:"+group, "--role="+role, "--condition=None"))
	}
	u.denies(core.Access, missing, "principalSet://goog/group/"+group)
}

// ungiven lists what of the missing no binding gives, whatever is denied.
func (u *unlocker) ungiven(missing []core.Requirement) []core.Requirement {
	allowed := Judge(slices.DeleteFunc(slices.Clone(u.live), func(d core.Document) bool { return d.Kind == core.DenyPolicies }), u.q)
	return slices.DeleteFunc(slices.Clone(missing), func(r core.Requirement) bool {
		return slices.ContainsFunc(allowed.Findings, func(f core.Finding) bool { return f.Requirement == r && f.Result == core.Met })
	})
}

// role repairs a custom role through which the group is to have what is
// missing.
// Sources: https://cloud.google.com/sdk/gcloud/reference/iam/roles/update,
// https://cloud.google.com/sdk/gcloud/reference/iam/roles/undelete
func (u *unlocker) role(name string, missing []core.Requirement) {
	m := roleGrammar.FindStringSubmatch(name)
	r, err := readRole(u.live, name)
	if m == nil || err != nil {
		return
	}
	call := func(verb, option string) {
		line := fmt.Sprintf("gcloud iam roles %s %s --%s=%s%s", verb, m[3], strings.TrimSuffix(m[1], "s"), m[2], option)
		if !slices.Contains(u.lines, line) {
			u.add(line)
		}
	}
	if r.Deleted {
		u.add("# Within 7 days of its deletion, a custom role can be had back; afterwards use the roles below.")
		call("undelete", "")
	}
	if r.Stage == "DISABLED" {
		call("update", " --stage=GA")
	}
	var lacks []string
	for _, p := range confluent.GCPPermissions() {
		wanted := slices.ContainsFunc(missing, func(r core.Requirement) bool { return r.Aspect == core.Access && r.Permission == p.Name })
		if wanted && !slices.Contains(r.IncludedPermissions, p.Name) {
			lacks = append(lacks, p.Name)
		}
	}
	if len(lacks) > 0 {
		call("update", " --add-permissions="+strings.Join(lacks, ","))
	}
}

// denies names the deny policies that take what is missing; what they say is for
// a person to change.
// Sources: https://cloud.google.com/iam/docs/deny-access,
// https://cloud.google.com/iam/docs/principal-identifiers#deny
func (u *unlocker) denies(aspect core.Aspect, missing []core.Requirement, principal string) {
	missing = slices.DeleteFunc(slices.Clone(missing), func(r core.Requirement) bool { return r.Aspect != aspect })
	for _, o := range denyPolicies(u.live) {
		m := denyGrammar.FindStringSubmatch(rawjson.Unquote(o.Get("name")))
		if m == nil || !deniesAny(o, missing) {
			continue
		}
		point := fmt.Sprintf("%s --attachment-point=%s/%s/%s --kind=denypolicies", m[4], m[1], m[2], m[3])
		u.add("gcloud iam policies get "+point+" --format=json > deny.json",
			"# Where a rule in deny.json denies Cloud KMS, add to its exceptionPrincipals: "+principal,
			"gcloud iam policies update "+point+" --policy-file=deny.json")
	}
}

// denyPolicies lists the deny policies that could be read.
func denyPolicies(p core.Policy) []rawjson.Object {
	var out []rawjson.Object
	for _, d := range p {
		if d.Kind != core.DenyPolicies || d.Unreadable != "" {
			continue
		}
		l, err := rawjson.ReadList(d.Text)
		if err != nil {
			continue // the judge says so
		}
		for _, e := range l.Elements {
			if o, err := rawjson.CutObject(e.Value); err == nil {
				out = append(out, o)
			}
		}
	}
	return out
}

// denied says that a deny policy names a permission that is missing.
func denied(live core.Policy, missing []core.Requirement) bool {
	return slices.ContainsFunc(denyPolicies(live), func(o rawjson.Object) bool { return deniesAny(o, missing) })
}

// deniesAny says that a deny policy names, by itself or by a wildcard, a
// permission that is missing.
// Source: https://cloud.google.com/iam/docs/deny-permissions-support
func deniesAny(policy rawjson.Object, missing []core.Requirement) bool {
	rules, err := rawjson.ReadList(policy.Get("rules"))
	if err != nil {
		return false
	}
	for _, e := range rules.Elements {
		rule, err := rawjson.ReadObject(e.Value)
		if err != nil {
			continue
		}
		deny, err := rawjson.ReadObject(rule.Get("denyRule"))
		if err != nil {
			continue
		}
		for _, p := range texts(deny.Get("deniedPermissions")) {
			if slices.ContainsFunc(missing, func(r core.Requirement) bool { return denialNames(p, r.Permission) }) {
				return true
			}
		}
	}
	return false
}

// denialNames says that a permission as deny policies write it, such as
// cloudkms.googleapis.com/cryptoKeys.get or cloudkms.googleapis.com/*, stands
// for one as roles write it.
func denialNames(denied, permission string) bool {
	service, name, _ := strings.Cut(permission, ".")
	name = service + ".googleapis.com/" + name
	prefix, wildcard := strings.CutSuffix(denied, "*")
	return denied == name || wildcard && strings.HasPrefix(name, prefix)
}

// states repairs the key's versions.
// Source: https://cloud.google.com/kms/docs/destroy-restore
func (u *unlocker) states(missing []core.Requirement) {
	rows, _, err := rowsOf(u.live, u.q.Key.ID)
	if err != nil {
		return
	}
	wanted := func(r row) bool {
		return slices.ContainsFunc(missing, func(m core.Requirement) bool {
			return m.Aspect == core.Property && (strings.HasPrefix(m.Permission, "version:"+r.number+":") || strings.HasPrefix(m.Permission, "primary:"))
		})
	}
	for _, r := range rows {
		switch {
		case !wanted(r):
		case r.state == stateDisabled:
			u.add(u.ofVersion("enable", r.number))
		case r.state == stateScheduled:
			u.add("# Version "+r.number+" is scheduled for destruction. Restoring it leaves it disabled.", u.ofVersion("restore", r.number), u.ofVersion("enable", r.number))
		case r.state == stateDestroyed:
			u.add("# Version " + r.number + " is destroyed. What was encrypted with it is lost: open a Confluent ticket.")
		}
	}
}
