package azurekv

import (
	"cmp"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// Explains says that a change accounts for what live lost since the snapshot: by
// its operation, on the resource that it was on. Azure's events show no policy,
// so that this is all that can be said of who did it. It is evidence for a
// person to read, and decides nothing.
//
//   - The end of a role assignment explains it if that gave Confluent something
//     that is lost, and is gone; its writing, if it is there with another
//     condition; what is done to a role definition, if Confluent has it assigned
//     and it gives less of what is lost.
//   - The vault explains it if its permission model, its tenant, Confluent's access
//     policy or its firewall changed and what is lost follows from that, its access
//     policies by their own way only the third; its deletion, if it is deleted or
//     came back without what was assigned below it.
//   - A deny assignment explains it if it is new and may take what is lost.
//
// What happens to the key itself raises no event.
func Explains(c core.Change, live, good core.Policy, lost []core.Requirement) bool {
	e := explanation{live: live, good: good, resource: wording.Lower(c.Resource)}
	for _, r := range lost {
		switch {
		case r.Aspect == core.Access:
			e.principal = cmp.Or(e.principal, wording.Lower(r.Principal))
			e.access = append(e.access, r.Permission)
		case r.Permission == vaultNetwork:
			e.network = true
		case r.Permission == vaultTenant:
			e.tenant = true
		}
	}
	if e.resource == "" || len(lost) == 0 {
		return false
	}
	switch wording.Lower(c.Op) {
	case "microsoft.authorization/roleassignments/delete":
		return e.byAssignment(true)
	case "microsoft.authorization/roleassignments/write":
		return e.byAssignment(false)
	case "microsoft.authorization/roledefinitions/delete":
		return e.byDefinition(true)
	case "microsoft.authorization/roledefinitions/write":
		return e.byDefinition(false)
	case "microsoft.authorization/denyassignments/write":
		return e.byDenial()
	case "microsoft.keyvault/vaults/write":
		return e.byVault()
	case "microsoft.keyvault/vaults/accesspolicies/write":
		return e.byPolicies()
	case "microsoft.keyvault/vaults/delete":
		return e.byDeletion()
	}
	return false
}

// explanation is a loss and the resource that may explain it.
type explanation struct {
	live, good      core.Policy
	resource        string // folded
	principal       string // Confluent's, folded; "" if no access was lost
	access          []string
	network, tenant bool // what else is lost
}

// assigned lists what a policy shows to be assigned to Confluent. A document that
// can't be read shows nothing.
func (e explanation) assigned(p core.Policy) []row {
	var out []row
	for _, d := range p {
		if e.principal == "" || d.Kind != core.RoleAssignments || d.Unreadable != "" || assignedTo(d.ID) != e.principal {
			continue
		}
		if l, err := readLedger(d.Text); err == nil {
			out = append(out, l.rows...)
		}
	}
	return out
}

// byAssignment: who deletes an assignment leaves none, and who writes it leaves it
// there.
func (e explanation) byAssignment(deleted bool) bool {
	now := e.assigned(e.live)
	return slices.ContainsFunc(e.assigned(e.good), func(r row) bool {
		i := slices.IndexFunc(now, func(o row) bool { return o.id == r.id })
		changed := i < 0
		if !deleted {
			changed = i >= 0 && now[i].when != r.when
		}
		return r.id == e.resource && e.gaveLost(r.role) && changed
	})
}

// gaveLost says that a role gave something that is lost. One that nobody knows
// may have.
func (e explanation) gaveLost(guid string) bool {
	r, ok := definitionIn(e.good, guid)
	if !ok {
		return len(e.access) > 0
	}
	return slices.ContainsFunc(e.access, func(name string) bool {
		return slices.ContainsFunc(r.Permissions, func(p permission) bool { return p.covers(confluentAsk(name)) })
	})
}

// definitionIn is what a policy shows a role to give.
func definitionIn(p core.Policy, guid string) (role, bool) {
	for _, d := range p {
		if d.Kind != core.RoleDefinitions || d.Unreadable != "" {
			continue
		}
		list, err := parseRoles(d.Text)
		if err != nil {
			continue
		}
		if i := slices.IndexFunc(list, func(r role) bool { return r.ID == guid }); i >= 0 {
			return list[i], true
		}
		if len(list) == 0 && roleOf(d.ID) == guid {
			return role{ID: guid, gone: true}, true
		}
	}
	return builtin(guid)
}

func (e explanation) byDefinition(deleted bool) bool {
	guid := roleOf(e.resource)
	if !slices.ContainsFunc(e.assigned(e.good), func(r row) bool { return r.role == guid }) {
		return false
	}
	was, known := definitionIn(e.good, guid)
	is, read := definitionIn(e.live, guid)
	return known && read && is.gone == deleted && slices.ContainsFunc(e.access, func(name string) bool {
		before, now := was.terms(confluentAsk(name)), is.terms(confluentAsk(name))
		return len(before) > 0 && !slices.Equal(before, now)
	})
}

// terms are the conditions under which a role has an action, in one order: none
// at all if it does not have it.
func (r role) terms(a ask) []string {
	var out []string
	for _, p := range r.Permissions {
		if p.covers(a) {
			out = append(out, squeezed(p.Condition))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (e explanation) byDenial() bool {
	return slices.ContainsFunc(e.denied(e.live), e.takesLost) && len(e.denied(e.good)) == 0
}

// denied lists the deny assignments of a policy that are the resource.
func (e explanation) denied(p core.Policy) []denial {
	var out []denial
	for _, d := range p {
		if d.Kind != core.DenyAssignments || d.Unreadable != "" {
			continue
		}
		if list, err := parseDenials(d.Text); err == nil {
			out = append(out, slices.DeleteFunc(list, func(x denial) bool { return wording.Lower(x.ID) != e.resource })...)
		}
	}
	return out
}

// takesLost says that a deny assignment may take something that is lost from
// Confluent.
func (e explanation) takesLost(d denial) bool {
	b := brief{subject: subject{id: e.principal}}
	return b.hitBy(&d) != truth.No && slices.ContainsFunc(e.access, func(name string) bool { return d.takes(confluentAsk(name)) != truth.No })
}

// vaults are the descriptions of the vault that the resource is, or is below.
func (e explanation) vaults() (before, after sheet, ok bool) {
	find := func(p core.Policy) (sheet, bool) {
		for _, d := range p {
			if id := wording.Lower(d.ID); d.Kind == core.Vault && d.Unreadable == "" && (e.resource == id || strings.HasPrefix(e.resource, id+"/")) {
				s, err := readSheet(d.Text)
				return s, err == nil
			}
		}
		return sheet{}, false
	}
	before, ok = find(e.good)
	if !ok {
		return before, after, false
	}
	after, ok = find(e.live)
	return before, after, ok
}

func (e explanation) byVault() bool {
	before, after, ok := e.vaults()
	if !ok || before.deleted || after.deleted {
		return false
	}
	moved := before.tenant() != after.tenant()
	switch {
	case moved && (e.tenant || len(e.access) > 0), e.network && before.gate() != after.gate():
		return true
	case len(e.access) > 0 && before.rbac() != after.rbac():
		return true
	}
	return e.byPolicies()
}

// byPolicies: Confluent's access policy, which was in force, has less than it had.
func (e explanation) byPolicies() bool {
	before, after, ok := e.vaults()
	if !ok || before.deleted || after.deleted || before.rbac() {
		return false
	}
	has := after.keys(e.principal)
	return slices.ContainsFunc(before.keys(e.principal), func(k string) bool {
		return !holds(has, k) && !holds(has, allPermissions) && slices.ContainsFunc(e.access, func(p string) bool {
			return wording.Same(k, allPermissions) || wording.Same(k, confluent.AzureKeyPermission(p))
		})
	})
}

func (e explanation) byDeletion() bool {
	_, after, ok := e.vaults()
	switch {
	case !ok:
		return false
	case after.deleted:
		return true
	}
	below := func(r row) bool { return r.scope == e.resource || strings.HasPrefix(r.scope, e.resource+"/") }
	lost := func(r row) bool { return below(r) && e.gaveLost(r.role) }
	return slices.ContainsFunc(e.assigned(e.good), lost) && !slices.ContainsFunc(e.assigned(e.live), below)
}
