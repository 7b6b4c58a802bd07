package awskms

import (
	"fmt"
	"slices"

	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

// keepsDenies checks both ways: no Deny of from is gone or narrower for anybody
// but Confluent, and the new policy has no Deny of its own.
func (g guarded) keepsDenies(from policy, exempting bool) error {
	for i, d := range from.Statements {
		if d.Effect != "Deny" || effectless(d) || g.mayGo(from, d, exempting) {
			continue
		}
		if !slices.ContainsFunc(g.next.Statements, func(n statement) bool { return g.stays(from, d, n, exempting) }) {
			return fmt.Errorf("it takes away or narrows the Deny in statement %d", i)
		}
	}
	for i, n := range g.next.Statements {
		if n.Effect == "Deny" && !slices.ContainsFunc(from.Statements, func(d statement) bool { return g.stays(from, d, n, exempting) }) {
			return fmt.Errorf("its statement %d is a Deny that is not there now", i)
		}
	}
	return nil
}

// mayGo says that a Deny names nobody but dead IDs and Confluent, and, where it
// is Confluent, that the snapshot does not have it too.
func (g guarded) mayGo(from policy, d statement, exempting bool) bool {
	d, some := d.without(deadID)
	switch {
	case !some:
		return true
	case !d.namesOnly(configured(g.key)):
		return false
	case exempting:
		return !g.inSnapshot(from, d)
	}
	// A whole snapshot comes without a Deny only together with its principals.
	named := g.next.named()
	return !slices.ContainsFunc(whoOf(*d.Principal), func(who string) bool { return slices.Contains(named, who) })
}

func (g guarded) inSnapshot(from policy, d statement) bool {
	return from.language() == g.before.language() && slices.ContainsFunc(g.before.Statements, func(b statement) bool {
		b, _ = b.without(deadID)
		return b.canonical(partition(g.key.ID)) == d.canonical(partition(g.key.ID))
	})
}

// stays says that n is what is left of the Deny d of from: the same but for dead
// IDs and, where that is allowed, an exemption of Confluent.
func (g guarded) stays(from policy, d, n statement, exempting bool) bool {
	part := partition(g.key.ID)
	if d.canonical(part) == n.canonical(part) {
		return true
	}
	d, some := d.without(deadID)
	n, _ = n.without(deadID)
	if !some || d.Effect != n.Effect {
		return false
	}
	if d.canonical(part) == n.canonical(part) {
		return true
	}
	leave := func(id string) bool { return slices.Contains(g.key.Needs.Roles, id) }
	if exempting && g.inSnapshot(from, d) {
		return false
	}
	if !exempting {
		d, _ = d.without(leave)
		n, _ = n.without(leave)
		return d.canonical(part) == n.canonical(part)
	}
	if !concerns(d) {
		return false
	}
	was, is := from.plain(d.Conditions), g.next.plain(n.Conditions)
	d.Conditions, n.Conditions = nil, nil
	return d.canonical(part) == n.canonical(part) && g.onlyExempts(was, is)
}

// concerns says that a Deny is about something that Confluent needs; there is
// no reason to exempt it from any other.
func concerns(d statement) bool {
	return d.Action == nil || slices.ContainsFunc(d.Action, func(a string) bool {
		return slices.ContainsFunc(confluent.AWSPermissions(), func(p confluent.Permission) bool { return globString(wording.Lower(a), wording.Lower(p.Name)) })
	})
}

// onlyExempts says that conditions differ in nothing but configured Confluent
// principals that are added to, or make up, a negated condition on who calls.
func (g guarded) onlyExempts(was, is []condition) bool {
	for _, w := range was {
		if !slices.ContainsFunc(is, func(c condition) bool { return c.Operator == w.Operator && c.Key == w.Key }) {
			return false
		}
	}
	for _, c := range is {
		added := c.Values
		if i := slices.IndexFunc(was, func(w condition) bool { return c.Operator == w.Operator && c.Key == w.Key }); i >= 0 {
			if !subset(was[i].Values, c.Values) {
				return false
			}
			added = slices.DeleteFunc(slices.Clone(c.Values), func(v string) bool { return slices.Contains(was[i].Values, v) })
		} else if len(added) == 0 {
			return false
		}
		if len(added) > 0 && !subset(added, g.exempt(c)) {
			return false
		}
	}
	return true
}

// exempt lists the values that may be added to a condition.
func (g guarded) exempt(c condition) []string {
	var out []string
	switch c.Operator + " " + c.Key {
	case "arnnotlike aws:principalarn", "arnnotequals aws:principalarn":
		for _, role := range g.key.Needs.Roles {
			if m := roleARN.FindStringSubmatch(role); m != nil {
				out = append(out, role, confluent.AWSBlockStorageRole(m[1], m[2]))
			}
		}
	case "stringnotequals aws:principalaccount":
		for _, root := range g.key.Needs.Principals {
			if m := rootARN.FindStringSubmatch(root); m != nil {
				out = append(out, m[1])
			}
		}
	}
	return out
}
