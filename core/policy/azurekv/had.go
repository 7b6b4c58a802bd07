package azurekv

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// giver is one role assignment of the snapshot that reaches Confluent, itself or
// through a group, at the key or above it, and what it gave by itself: every
// other assignment taken away, what denies left in place.
type giver struct {
	row
	findings []core.Finding
}

// gives says that Confluent had a permission through this assignment alone. One
// of the two roles that Confluent asks for counts as well where nobody can
// decide its condition, since it comes back under that very condition.
func (g giver) gives(permission string) bool {
	return slices.ContainsFunc(g.findings, func(f core.Finding) bool {
		if f.Aspect != core.Access || f.Permission != permission {
			return false
		}
		asked, ok := documented(g.role)
		return f.Result == core.Met || f.Result == core.Undetermined && ok && g.when.text != "" && slices.Contains(asked.Permissions, permission)
	})
}

// givers judges the snapshot's list of what is assigned to Confluent, assignment
// by assignment. One whose role has conditions of its own shows nothing: those
// would not come back with what stands in for it.
func givers(good core.Policy, q core.Question, principal string) ([]giver, error) {
	id := core.AssignedTo(q.Key.ID, principal)
	l, err := ledgerOf(good, id)
	if err != nil {
		return nil, err
	}
	bare := bared(good)
	var out []giver
	for i, r := range l.rows {
		if d, _ := definitionIn(good, r.role); slices.ContainsFunc(d.Permissions, func(p permission) bool { return p.Condition != "" }) {
			continue
		}
		out = append(out, giver{r, Judge(withText(bare, core.RoleAssignments, id, l.alone(i)), q).Findings})
	}
	return out, nil
}

// bared is a policy without any role assignment.
func bared(p core.Policy) core.Policy {
	out := slices.Clone(p)
	for i, d := range out {
		if d.Kind == core.RoleAssignments && d.Unreadable == "" {
			out[i].Text = "[]"
		}
	}
	return out
}

// within says that whatever holds under one condition held under another: they
// are the same, or the other is none.
func within(c, wide clause) bool { return wide.text == "" || c == wide }

// gaveUnder says that the snapshot gave Confluent all that it needs of a role
// under a condition that is the snapshot's own, or without any.
func gaveUnder(had []giver, role confluent.AzureRole, c clause) bool {
	own := len(role.Permissions) > 0 && (c.text == "" || c.version == conditionVersion)
	for _, p := range role.Permissions {
		own = own && slices.ContainsFunc(had, func(g giver) bool { return within(c, g.when) && g.gives(p) })
	}
	return own && (c.text == "" || slices.ContainsFunc(had, func(g giver) bool { return g.when == c }))
}

// conditionsOf lists those under which the snapshot gave all that Confluent
// needs of a role; just none if it gave it without any.
func conditionsOf(had []giver, role confluent.AzureRole) []clause {
	if gaveUnder(had, role, clause{}) {
		return []clause{{}}
	}
	var out []clause
	for _, g := range had {
		if !slices.Contains(out, g.when) && gaveUnder(had, role, g.when) {
			out = append(out, g.when)
		}
	}
	return out
}

// nameFor is the GUID of a role assignment that is made at the vault: the one
// that it had in the snapshot, or else one derived from what it assigns.
func nameFor(had []giver, at address, principal, role string) string {
	for _, g := range had {
		if g.at(at.vaultID, principal, role) && g.name() != "" {
			return g.name()
		}
	}
	return derivedName(at.vaultID, principal, role)
}

// permitted lists the key permissions that a restore may add to Confluent's own
// access policy: of those that stand in for the roles which Confluent asks for,
// the ones that the snapshot's had by name; and the required ones that it had
// through "all".
func permitted(good sheet, principal string) []string {
	had := good.keys(principal)
	var out []string
	for _, p := range confluent.AzureAccessPolicy() {
		if holds(had, p) || holds(had, allPermissions) && required(p) {
			out = append(out, p)
		}
	}
	return out
}

// required says that Confluent needs a key permission.
func required(word string) bool {
	return slices.ContainsFunc(confluent.AzurePermissions(), func(p confluent.Permission) bool { return confluent.AzureKeyPermission(p.Name) == word })
}

// The values that decide what the vault's firewall lets in, as Azure spells
// them: first the one that lets in more, which is also the one where nobody says.
//
// Source: https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get#networkruleset
var (
	bypasses = []string{"AzureServices", "None"}
	actions  = []string{"Allow", "Deny"}
	publics  = []string{"Enabled", "Disabled"}
)

// gate is the vault's firewall but for the addresses that it lets in. A value
// that is not one of Azure's is "".
func (s sheet) gate() opening {
	rules := s.rules()
	return opening{
		bypass: spelled(rules.Get("bypass"), bypasses),
		action: spelled(rules.Get("defaultAction"), actions),
		public: spelled(s.properties.Get("publicNetworkAccess"), publics),
	}
}

// spelled is Azure's own spelling of a value; the first where there is none.
func spelled(value string, values []string) string {
	if none(value) {
		return values[0]
	}
	for _, v := range values {
		if wording.Same(rawjson.Unquote(value), v) {
			return v
		}
	}
	return ""
}

// opens says that a value of a firewall becomes one that lets in more, which is
// also another's. Nothing is known of a value that is "".
func opens(now, then string, values []string) bool {
	return now != "" && now != then && then == values[0]
}

// openings lists what may change of a firewall so that it lets in what another
// does: the least first, and of two that are alike the one that lets in fewer.
func openings(from, to opening) []opening {
	change := func(now, then string, values []string) string {
		if !opens(now, then, values) {
			return ""
		}
		return then
	}
	all := opening{change(from.bypass, to.bypass, bypasses), change(from.action, to.action, actions), change(from.public, to.public, publics)}
	var out []opening
	for _, o := range []opening{
		{bypass: all.bypass}, {public: all.public}, {action: all.action},
		{bypass: all.bypass, public: all.public}, {bypass: all.bypass, action: all.action}, {action: all.action, public: all.public}, all,
	} {
		if o != (opening{}) && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// repairable lists the versions that are disabled and were enabled in the
// snapshot.
func repairable(live, good core.Policy, at address) []string {
	now, _, err := editionsOf(live, at)
	if err != nil {
		return nil
	}
	before, _, err := editionsOf(good, at)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range now {
		if e.disabled() && slices.Contains(before, edition{e.number, "true"}) {
			out = append(out, e.number)
		}
	}
	return out
}
