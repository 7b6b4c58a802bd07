package gcpkms

import (
	"byokwatch/core"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// settle turns a decision into a finding: the result, what decided it, why, and
// what a person may do instead.
func (c *court) settle(f *core.Finding, b *brief) {
	d := c.decide(b, f.Permission)
	denied := pick(d.denies, truth.Yes)
	switch {
	case d.allowed == truth.Yes:
		f.Result = core.Met
		given := pick(d.allows, truth.Yes)
		f.Evidence = c.evidence(given, nil, b.subject)
		f.Reason, f.Remedy = c.whyMet(given, b.subject)
	case len(denied) > 0:
		f.Result = core.Missing
		f.Evidence = c.evidence(nil, denied, b.subject)
		f.Reason, f.Remedy = c.whyDenied(denied, b.subject)
	case len(d.allows) == 0:
		f.Result = core.Missing
		c.settleNothing(f, b)
	default:
		f.Result = core.Undetermined
		open := pick(d.denies, truth.Unknown)
		var maybe []gift
		if given := pick(d.allows, truth.Yes); len(given) == 0 {
			maybe = pick(d.allows, truth.Unknown)
		}
		f.Evidence = c.evidence(maybe, open, b.subject)
		f.Reason, f.Remedy = c.whyOpen(maybe, open, f.Permission, b.subject)
	}
}

func pick[T any](all []judged[T], is truth.Truth) []T {
	var out []T
	for _, j := range all {
		if j.is == is {
			out = append(out, j.of)
		}
	}
	return out
}

// evidence points at bindings and deny rules. The number is the index of the
// binding in its policy, or that of the rule among all rules of its level.
func (c *court) evidence(gifts []gift, bans []ban, s subject) []core.Evidence {
	var out []core.Evidence
	for i := range bans {
		x := &bans[i]
		out = append(out, core.Evidence{
			Document: x.barrier.doc.ID, Kind: core.DenyPolicies, Statement: x.rule.index, Sid: wording.Abridge(x.rule.Policy, 256),
			Start: x.rule.start, End: x.rule.end, Clause: core.DigestOf(c.canonicalBan(x, s)),
			ConfluentOnly: !s.account && c.onlyConfluent(x.rule),
		})
	}
	for i := range gifts {
		g := &gifts[i]
		out = append(out, core.Evidence{
			Document: g.level.doc.ID, Kind: core.IAMPolicy, Statement: g.binding.index, Sid: wording.Abridge(g.binding.Role, 256),
			Start: g.binding.start, End: g.binding.end, Clause: c.clauseOf(g, s),
		})
	}
	return out
}

// clauseOf identifies a binding as a reason. For one that gives nothing, its
// role is all there is to say.
func (c *court) clauseOf(g *gift, s subject) core.Digest {
	if text := c.canonicalGift(g, false); text != "" && !s.account {
		return core.DigestOf(text)
	}
	return core.DigestOf("binding " + g.level.doc.ID + " " + g.binding.Role + canonicalClause(g.binding.Condition, false))
}
