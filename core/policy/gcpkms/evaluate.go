package gcpkms

import (
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/expiry"
	"byokwatch/core/policy/truth"
)

// court is one policy before its judge: what is prepared once for all
// requirements.
type court struct {
	file    file
	key     core.Key
	project string
	at      time.Time
	// timeless: conditions name more dates than can be judged.
	timeless    bool
	group, self subject
	expressions map[clause]*expression
	cases       map[subject]*brief
	above       bool // a right of the watchdog may come from above what was read
}

// brief is all that concerns one subject.
type brief struct {
	subject subject
	gifts   []gift
	bans    []ban
}

// gift is a binding that names a subject, or may.
type gift struct {
	level     *level
	binding   *binding
	who       truth.Truth
	condition *expression
}

func newCourt(f file, q core.Question) *court {
	c := &court{
		file: f, key: q.Key, project: projectOf(q.Key.ID), at: q.At,
		group: groupOf(q.Key.Needs.Group), self: accountOf(q.Self, q.Key.Needs.Group),
		expressions: map[clause]*expression{}, cases: map[subject]*brief{},
	}
	c.brief(c.group)
	if q.Self != "" {
		c.brief(c.self)
	}
	c.timeless = len(c.dates()) > maxDates
	return c
}

// brief gathers what concerns a subject, once.
func (c *court) brief(s subject) *brief {
	if b, ok := c.cases[s]; ok {
		return b
	}
	b := &brief{subject: s, bans: c.bansFor(s)}
	for i := range c.file.levels {
		l := &c.file.levels[i]
		for j := range l.bindings {
			if who := among(s, l.bindings[j].Members); who != truth.No {
				b.gifts = append(b.gifts, gift{level: l, binding: &l.bindings[j], who: who, condition: c.expression(l.bindings[j].Condition)})
			}
		}
	}
	c.cases[s] = b
	return b
}

// expression is the same for each condition of the same words.
func (c *court) expression(of *clause) *expression {
	if of == nil {
		return nil
	}
	key := clause{Expression: of.Expression}
	x, ok := c.expressions[key]
	if !ok {
		x = &expression{clause: of}
		c.expressions[key] = x
	}
	return x
}

// facts are those of a request for a permission.
func (c *court) facts(permission string) facts {
	f := facts{at: c.at, name: c.key.ID, kind: typeKey, timeless: c.timeless}
	if permission == rightUpdate {
		f.name, f.kind = "", typeVersion
	}
	if digits(c.project) {
		f.name = "" // the request's may have the project's ID
	}
	return f
}

// decision is what the policy says of one permission of one subject.
type decision struct {
	allowed truth.Truth
	allows  []judged[gift]
	denies  []judged[ban]
}

// judged is a binding or rule that may decide, and whether it does.
type judged[T any] struct {
	of T
	is truth.Truth
}

// decide evaluates deny rules and bindings: a deny wins, else a binding is
// needed. Nothing is left out once a result is found, but for bindings that may
// or may not be the subject's where another one surely is: they add nothing.
//
// Source: https://cloud.google.com/iam/docs/policy-types#evaluation
func (c *court) decide(b *brief, permission string) decision {
	var d decision
	f := c.facts(permission)
	denied, given := truth.No, truth.No
	for _, x := range b.bans {
		if is := x.applies(permission); is != truth.No {
			denied = denied.Or(is)
			d.denies = append(d.denies, judged[ban]{x, is})
		}
	}
	for _, who := range []truth.Truth{truth.Yes, truth.Unknown} {
		for _, g := range b.gifts {
			if g.who != who || who == truth.Unknown && given == truth.Yes {
				continue
			}
			if is := c.gives(g, permission, f); is != truth.No {
				given = given.Or(is)
				d.allows = append(d.allows, judged[gift]{g, is})
			}
		}
	}
	d.allowed = given.And(denied.Not())
	return d
}

func (c *court) gives(g gift, permission string, f facts) truth.Truth {
	role := c.file.gives(g.binding.Role, permission, c.project)
	if role == truth.No {
		return truth.No
	}
	return g.who.And(role).And(g.condition.holds(f))
}

// dates lists, sorted and once each, the instants at which something that is
// Met may end: those of the conditions of bindings that surely name somebody
// who is asked about. Conditions of deny policies know no time.
func (c *court) dates() []time.Time {
	var out []time.Time
	for _, b := range c.cases {
		for _, g := range b.gifts {
			if g.who != truth.Yes || g.condition == nil || !g.condition.mayBeTimed() {
				continue
			}
			if g.condition.compile(); g.condition.listed {
				out = append(out, g.condition.dates...)
			}
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// expires is the first moment after the question's at which a critical
// permission, or a right of ours, that is Met no longer is. Between two dates
// that conditions name nothing changes, so each date and the moment just after
// it are all there is to look at. It leaves the court at another time.
func (c *court) expires(findings []core.Finding) time.Time {
	named := c.dates()
	if c.timeless {
		return time.Time{}
	}
	return expiry.First(c.at, named, expiry.Watched(findings), c.ends)
}

// ends says that one of needs is not Met at a time.
func (c *court) ends(needs []core.Requirement, at time.Time) bool {
	c.at = at
	return slices.ContainsFunc(needs, func(need core.Requirement) bool {
		return c.decide(c.brief(c.asked(need)), need.Permission).allowed != truth.Yes
	})
}

// asked is whose requirement it is.
func (c *court) asked(need core.Requirement) subject {
	if need.Aspect == core.Own {
		return c.self
	}
	return c.group
}

// needed is what Confluent needs, by name.
func needed() []string {
	var out []string
	for _, p := range confluent.GCPPermissions() {
		out = append(out, p.Name)
	}
	return out
}
