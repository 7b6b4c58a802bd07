package azurekv

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/compare"
	"byokwatch/core/policy/wording"
)

// Diff lists what changes between two policies by what they mean: who has which
// role at which scope under which condition, what access policies give on keys,
// which permission model is in force, what the roles give, what is denied, what
// the firewall lets in, the owner's revocation, and the state of the key and its
// versions. Order, spelling and the form of documents are nothing. What goes
// comes before what is new. A document that only one side has is compared with
// nothing where it lists assignments or denials, and left out where it is a
// role, since roles are read with the assignments that name them.
func Diff(from, to core.Policy) []core.Difference {
	name := func(ref core.Ref) string { return called(core.Document{Kind: ref.Kind, ID: ref.ID}) }
	return compare.Policies(from, to, name, func(x compare.Pair) ([]core.Difference, error) {
		d := differ{from: from, to: to}
		var err error
		switch was, is := x.Was.Text, x.Is.Text; {
		case x.Kind == core.RoleAssignments:
			err = d.assignments(x.ID, was, is)
		case x.Kind == core.DenyAssignments:
			err = d.denials(was, is)
		case x.Kind == core.RoleDefinitions && x.Both:
			err = d.roles(was, is)
		case x.Kind == core.Vault && x.Both:
			err = d.vaults(was, is)
		case x.Kind == core.VaultKey && x.Both:
			err = d.keys(was, is)
		case x.Kind == core.VaultKeyVersions && x.Both:
			err = d.versions(was, is)
		}
		return d.out, err
	})
}

// differ collects the differences of one document.
type differ struct {
	from, to core.Policy
	out      []core.Difference
}

func (d *differ) say(kind core.DifferenceKind, format string, args ...any) {
	d.out = append(d.out, core.Difference{Change: kind, Text: fmt.Sprintf(format, args...)})
}

func (d *differ) other(format string, args ...any) {
	d.out = append(d.out, compare.Other(format, args...))
}

func (d *differ) admits(principal, format string, args ...any) {
	d.out = append(d.out, core.Difference{Change: core.Admits, Text: fmt.Sprintf(format, args...), Principal: principal})
}

// rowsIn reads a list of assignments that may not be there at all.
func rowsIn(text string) ([]row, error) {
	if text == "" {
		return nil, nil
	}
	l, err := readLedger(text)
	return l.rows, err
}

func (d *differ) assignments(id, was, is string) error {
	before, err := rowsIn(was)
	if err != nil {
		return err
	}
	after, err := rowsIn(is)
	if err != nil {
		return err
	}
	scope, _, _ := strings.Cut(id, "?")
	a := address{id: scope}
	a.vaultID, _, _ = strings.Cut(scope, "/keys/")
	tell := func(r row, verb string) string {
		text := fmt.Sprintf("%s %s %s at %s", r.who(), verb, roleName(r.role, d.from, d.to), a.place(r.scope))
		if r.when.text != "" {
			text += " where " + r.when.text
		}
		return text
	}
	for _, r := range before {
		if !slices.ContainsFunc(after, r.same) {
			d.say(core.Withdraws, "%s", tell(r, "no longer has"))
		}
	}
	for _, r := range after {
		switch {
		case slices.ContainsFunc(before, r.same):
		case d.opensKey(r.role):
			d.admits(r.principal, "%s", tell(r, "has"))
		default:
			d.other("%s", tell(r, "has"))
		}
	}
	return nil
}

// opensKey says that a role may give something on keys: access to what they
// protect, or to who has it. One that nobody knows may.
func (d *differ) opensKey(guid string) bool {
	r, ok := builtin(guid)
	if !ok {
		var given *role
		for _, doc := range d.to {
			if doc.Kind != core.RoleDefinitions || doc.Unreadable != "" {
				continue
			}
			if list, err := parseRoles(doc.Text); err == nil {
				if i := slices.IndexFunc(list, func(r role) bool { return r.ID == guid }); i >= 0 {
					given = &list[i]
				}
			}
		}
		if given == nil {
			return true
		}
		r = *given
	}
	for _, p := range r.Permissions {
		for _, action := range []string{confluent.AzureKeyUnwrap, confluent.AzureKeyWrap, confluent.AzureKeyRead, "Microsoft.KeyVault/vaults/keys/decrypt/action"} {
			if p.covers(ask{action: wording.Lower(action), data: true}) {
				return true
			}
		}
		for _, action := range []string{rightAssign, rightPolicies, rightVaultWrite} {
			if p.covers(ask{action: wording.Lower(action)}) {
				return true
			}
		}
	}
	return false
}

// roles tells what a role that both sides know gives more or less.
func (d *differ) roles(was, is string) error {
	before, err := parseRoles(was)
	if err != nil {
		return err
	}
	after, err := parseRoles(is)
	if err != nil {
		return err
	}
	for _, b := range before {
		name := roleName(b.ID, d.from, d.to)
		i := slices.IndexFunc(after, func(a role) bool { return a.ID == b.ID })
		if i < 0 {
			d.say(core.Withdraws, "role %s is deleted", strings.TrimPrefix(name, "role "))
			continue
		}
		less, more := changes(b.clauses(), after[i].clauses())
		who, name := "whoever has "+name, strings.TrimPrefix(name, "role ")
		narrower := after[i].within(b)
		if len(less) > 0 {
			d.say(core.Withdraws, "role %s no longer says %s", name, strings.Join(less, ", "))
		}
		switch {
		case len(more) > 0 && narrower:
			d.other("role %s now says %s", name, strings.Join(more, ", "))
		case len(more) > 0:
			d.admits(who, "role %s now says %s", name, strings.Join(more, ", "))
		case len(less) > 0 && !narrower:
			d.admits(who, "role %s gives more than it did", name)
		}
	}
	return nil
}

// clauses lists what a role says, each clause by itself.
func (r role) clauses() []string {
	var out []string
	for i, p := range r.Permissions {
		entry := ""
		if len(r.Permissions) > 1 {
			entry = fmt.Sprintf(" (entry %d)", i+1)
		}
		for _, l := range []struct {
			name string
			list []string
		}{{"action ", p.Actions}, {"not action ", p.NotActions}, {"data action ", p.DataActions}, {"not data action ", p.NotDataActions}} {
			for _, a := range l.list {
				out = append(out, l.name+a+entry)
			}
		}
		if p.Condition != "" {
			out = append(out, "where "+p.Condition+entry)
		}
	}
	return out
}

// within says that a role surely gives nothing that another does not: each of its
// entries lies in one of the other's.
func (r role) within(wide role) bool {
	for _, p := range r.Permissions {
		if !slices.ContainsFunc(wide.Permissions, func(w permission) bool {
			return (w.Condition == "" || w.Condition == p.Condition && w.ConditionVersion == p.ConditionVersion) &&
				narrows(p.Actions, p.NotActions, w.Actions, w.NotActions) && narrows(p.DataActions, p.NotDataActions, w.DataActions, w.NotDataActions)
		}) {
			return false
		}
	}
	return true
}

// narrows says that what actions give without notActions is surely part of what
// a wider list gives.
func narrows(actions, not, wide, wideNot []string) bool {
	for _, a := range actions {
		if !anyCovers(wide, a) {
			return false
		}
		for _, n := range wideNot {
			if !anyCovers(not, n) && (covered(a, n) || covered(n, a) || strings.Contains(a, "*") && strings.Contains(n, "*")) {
				return false
			}
		}
	}
	return true
}

// changes lists what is only in the one, and what is only in the other.
func changes(was, is []string) (less, more []string) {
	only := func(list, other []string) []string {
		var out []string
		for _, s := range list {
			if !slices.Contains(other, s) && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
		slices.Sort(out)
		return out
	}
	return only(was, is), only(is, was)
}

// denials tells which deny assignments are new or gone.
func (d *differ) denials(was, is string) error {
	before, err := denialsIn(was)
	if err != nil {
		return err
	}
	after, err := denialsIn(is)
	if err != nil {
		return err
	}
	less, more := changes(before, after)
	for _, s := range less {
		d.say(core.LosesDeny, "no longer denied by deny assignment %s", s)
	}
	for _, s := range more {
		d.say(core.Forbids, "denied by deny assignment %s", s)
	}
	return nil
}

// denialsIn writes out each deny assignment of a list.
func denialsIn(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	list, err := parseDenials(text)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, x := range list {
		var takes []string
		for _, p := range x.Permissions {
			takes = append(takes, role{Permissions: []permission{p}}.clauses()...)
		}
		whom := func(list []principal) string {
			var ids []string
			for _, p := range list {
				if p.id == everyone {
					p.id = "everybody"
				}
				ids = append(ids, p.id)
			}
			slices.Sort(ids)
			return strings.Join(ids, ", ")
		}
		slices.Sort(takes)
		line := fmt.Sprintf("%q at %s: %s to %s", wording.Abridge(x.Name, 80), x.scope, strings.Join(takes, ", "), whom(x.Principals))
		if len(x.Excluded) > 0 {
			line += ", but not to " + whom(x.Excluded)
		}
		if x.ScopeOnly {
			line += ", at this scope only"
		}
		out = append(out, line)
	}
	return out, nil
}
