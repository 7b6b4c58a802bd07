package azurekv

import (
	"byokwatch/core/policy/truth"
)

// ban is a deny assignment that names a subject, or may.
type ban struct {
	barrier *barrier
	item    *denial
	who     truth.Truth
}

func (c *court) bansFor(b *brief) []ban {
	var out []ban
	for i := range c.file.barriers {
		x := &c.file.barriers[i]
		for j := range x.items {
			if who := b.hitBy(&x.items[j]); who != truth.No {
				out = append(out, ban{x, &x.items[j], who})
			}
		}
	}
	return out
}

// hitBy says whether a deny assignment names the subject and does not exclude it.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/deny-assignments#deny-assignment-properties
func (b *brief) hitBy(d *denial) truth.Truth {
	named, excluded := truth.No, truth.No
	for _, p := range d.Principals {
		named = named.Or(b.is(p))
	}
	for _, p := range d.Excluded {
		is := b.is(p)
		if p.id == everyone {
			is = truth.Unknown // Azure lets nobody be excluded so
		}
		excluded = excluded.Or(is)
	}
	return named.And(excluded.Not())
}

// is says whether a principal of a deny assignment is or holds the subject. Of
// groups only those are known through which Azure says that it has a role.
func (b *brief) is(p principal) truth.Truth {
	switch {
	case p.id == b.subject.id || p.id == everyone || b.groups[p.id]:
		return truth.Yes
	case mayBeGroup(p.kind):
		return truth.Unknown
	}
	return truth.No
}

// applies says whether a deny assignment takes an action. One that does not
// apply to child scopes takes it at its own scope only; whether a key is a child
// of its vault in this sense nobody says. What its conditions turn on is not
// known.
func (c *court) applies(x ban, a ask) truth.Truth {
	return x.who.And(c.covers(x.item, a)).And(x.item.takes(a))
}

func (c *court) covers(d *denial, a ask) truth.Truth {
	resource := c.file.vaultID
	if a.onKey {
		resource = c.file.key
	}
	switch {
	case resource == "" || d.scope == resource:
		return truth.Yes
	case !reaches(d.scope, resource):
		return truth.No
	case d.ScopeOnly && a.onKey && d.scope == c.file.vaultID:
		return truth.Unknown
	}
	return truth.Known(!d.ScopeOnly)
}

// takes says whether a deny assignment is about an action.
func (d *denial) takes(a ask) truth.Truth {
	out := truth.No
	for i := range d.Permissions {
		switch p := &d.Permissions[i]; {
		case !p.covers(a):
		case p.Condition != "":
			out = out.Or(truth.Unknown)
		default:
			out = truth.Yes
		}
	}
	return out
}

// onlyConfluent says that a deny assignment names nobody but Confluent: nobody
// writes one by mistake.
func (c *court) onlyConfluent(d *denial) bool {
	for _, p := range d.Principals {
		if p.id != c.confluent.subject.id {
			return false
		}
	}
	return len(d.Principals) > 0
}
