package azurekv

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

// left says what a candidate leaves out and why: assignments of the snapshot
// that do not come back as they were, and what stays lost because it is not the
// watchdog's to write.
func (b bench) left(result core.Policy, w writes) ([]string, error) {
	var out []string
	if len(w.grants) > 0 {
		gone, err := b.replaced(w)
		if err != nil {
			return nil, err
		}
		out = gone
	}
	return append(out, b.stays(result, w)...), nil
}

// replaced lists the assignments of the snapshot in whose place others are made.
func (b bench) replaced(w writes) ([]string, error) {
	id := core.AssignedTo(b.at.id, b.principal)
	now, err := ledgerOf(b.live, id)
	if err != nil {
		return nil, err
	}
	before, err := ledgerOf(b.good, id)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range before.rows {
		own := func(g grant) bool { return r.at(b.at.vaultID, b.principal, g.role) }
		as := func(g grant) bool { return own(g) && g.when == r.when }
		if slices.ContainsFunc(w.grants, as) || slices.ContainsFunc(now.rows, r.same) {
			continue
		}
		why := "is not made again: what Confluent asks for, assigned at the vault, stands in for it."
		switch {
		case slices.ContainsFunc(w.grants, own):
			why = "comes back without its condition, since the snapshot gave the same without one."
		case r.scope == b.at.id:
			why = "is not made again: what Confluent asks for, assigned at the vault and so for all of its keys, stands in for it."
		case b.leaves(r):
			why = "is left out by this way, should making it be refused."
		}
		out = append(out, fmt.Sprintf("The assignment of %s to %s at %s %s", b.roleName(r.role), r.who(), b.at.place(r.scope), why))
	}
	return out, nil
}

// leaves says that an assignment is one that other ways make.
func (b bench) leaves(r row) bool {
	return slices.ContainsFunc(b.parts, func(p part) bool {
		return slices.ContainsFunc(p.grants, func(g grant) bool { return r.at(b.at.vaultID, b.principal, g.role) })
	})
}

// same says that two rows assign the same.
func (r row) same(o row) bool { return r.at(o.scope, o.principal, o.role) && r.when == o.when }

// who is the principal of an assignment as people call it.
func (r row) who() string {
	kind := map[string]string{"serviceprincipal": "service principal ", "user": "user ", "group": "group ", "foreigngroup": "foreign group ", "device": "device "}[wording.Lower(r.kind)]
	return kind + r.principal
}

// place is how people call a scope.
func (a address) place(scope string) string {
	f := file{key: a.id, vaultID: a.vaultID}
	return f.placeOf(scope)
}

// roleName is how people call a role of live or of the snapshot.
func (b bench) roleName(guid string) string { return roleName(guid, b.live, b.good) }

func roleName(guid string, policies ...core.Policy) string {
	if r, ok := builtin(guid); ok {
		return r.Name
	}
	for _, p := range policies {
		for _, d := range p {
			if d.Kind != core.RoleDefinitions || d.Unreadable != "" {
				continue
			}
			list, err := parseRoles(d.Text)
			if err != nil {
				continue
			}
			if i := slices.IndexFunc(list, func(r role) bool { return r.ID == guid && r.Name != "" }); i >= 0 {
				return fmt.Sprintf("%q", wording.Abridge(list[i].Name, 80))
			}
		}
	}
	return "role " + wording.Abridge(guid, 80)
}

// stays says what of the lost is not back, where the reason is a thing that is
// never written, or not by this way.
func (b bench) stays(result core.Policy, w writes) []string {
	var out []string
	say := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	editions, _, err := editionsOf(result, b.at)
	for _, f := range Judge(result, b.q).Findings {
		if f.Result != core.Missing || !slices.Contains(b.lost, f.Requirement) {
			continue
		}
		switch {
		case f.Aspect == core.Access:
			say(b.lostAccess(f, w))
		case f.Permission == vaultNetwork && b.q.Key.Network != core.CareRestore:
			say("The vault's network rules stay as they are, as the setting network says.")
		case f.Permission == vaultNetwork && b.vault.gate().public == "":
			say("The vault's network rules stay as they are: a network security perimeter, which only an administrator may change, stands above them.")
		case f.Permission == vaultNetwork:
			say("The vault's network rules stay as they are: this way leaves them out, should changing them be refused.")
		}
		for _, e := range editions {
			if err != nil || !e.disabled() || f.Permission != versionPrefix+e.number+enabledSuffix {
				continue
			}
			if b.q.Key.KeyState == core.CareRestore {
				say("Key version " + e.number + " stays disabled: this way leaves it out, should enabling it be refused.")
			} else {
				say("Key version " + e.number + " stays disabled, as the setting key_state says.")
			}
		}
	}
	return out
}

// lostAccess says why a permission is not back.
func (b bench) lostAccess(f core.Finding, w writes) string {
	name := f.Permission[strings.Index(f.Permission, "/")+1:]
	tries := slices.ContainsFunc(b.parts, func(p part) bool { return p.access })
	switch {
	case b.vault.rbac() && !b.before.rbac():
		return "Confluent's access stays lost: the vault was switched from access policies to Azure RBAC, which is for an administrator to undo."
	case !b.vault.rbac() && b.before.rbac():
		return "Confluent's access stays lost: the vault was switched from Azure RBAC to access policies, which is for an administrator to undo."
	case deniedBy(f):
		return name + " stays lost to a deny assignment, which only the owner of what made it can lift."
	case tries && len(w.grants)+len(w.keys) == 0:
		return "Confluent's access stays lost by this way, should giving it back be refused."
	case b.conditioned():
		return name + " may stay lost to a condition of Confluent's own assignment, which is for an administrator to take away."
	}
	for _, role := range confluent.AzureRoles() {
		if b.vault.rbac() && slices.Contains(role.Permissions, f.Permission) && !slices.ContainsFunc(b.parts, func(p part) bool { return p.name == role.Name }) {
			return name + " stays lost: the snapshot does not show that Confluent had all that it needs of " + role.Name + "."
		}
	}
	return name + " stays lost by this way, should giving it back be refused."
}

// deniedBy says that a deny assignment decided a finding.
func deniedBy(f core.Finding) bool {
	return slices.ContainsFunc(f.Evidence, func(e core.Evidence) bool { return e.Kind == core.DenyAssignments })
}

// conditioned says that live assigns one of the two roles at the vault under a
// condition that the snapshot has not.
func (b bench) conditioned() bool {
	id := core.AssignedTo(b.at.id, b.principal)
	now, err := ledgerOf(b.live, id)
	if err != nil {
		return false
	}
	before, err := ledgerOf(b.good, id)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(now.rows, func(r row) bool {
		_, ok := documented(r.role)
		return ok && r.when.text != "" && r.at(b.at.vaultID, b.principal, r.role) && !slices.ContainsFunc(before.rows, r.same)
	})
}
