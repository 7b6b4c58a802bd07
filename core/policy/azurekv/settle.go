package azurekv

import (
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/expiry"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// maxDates bounds how many dates the conditions of one question may name before
// they count as impossible to list. Nobody writes as many, and each is judged
// twice.
const maxDates = 50

// decideAll is the decision over requests that must all be allowed. What decides
// one of them is listed once.
func (c *court) decideAll(b *brief, asks []ask) decision {
	d := decision{allowed: truth.Yes}
	for i, a := range asks {
		one := c.decide(b, a)
		if i > 0 && one.allowed == truth.Yes && d.allowed != truth.Yes {
			continue // what was said of the one that is not allowed stands
		}
		allowed := d.allowed.And(one.allowed)
		if i > 0 && d.allowed == truth.Yes && one.allowed == truth.Yes {
			one.allows = slices.Concat(d.allows, without(one.allows, d.allows))
		}
		d = one
		d.allowed = allowed
	}
	return d
}

// without leaves out assignments that another list has.
func without(list, other []judged[gift]) []judged[gift] {
	var out []judged[gift]
	for _, j := range list {
		if !slices.ContainsFunc(other, func(o judged[gift]) bool { return o.of.item == j.of.item }) {
			out = append(out, j)
		}
	}
	return out
}

// settle turns a decision into a finding: the result, what decided it, why, and
// what a person may do instead.
func (c *court) settle(f *core.Finding, b *brief, asks []ask) {
	d := c.decideAll(b, asks)
	denied := pick(d.denies, truth.Yes)
	switch {
	case d.allowed == truth.Yes:
		f.Result = core.Met
		given := pick(d.allows, truth.Yes)
		entries := pick(d.policies, truth.Yes)
		f.Evidence = slices.Concat(c.evidence(given, nil, b), c.policyEvidence(entries))
		f.Reason = c.whyMet(given, entries, asks[0])
	case len(denied) > 0:
		f.Result = core.Missing
		f.Evidence = c.evidence(nil, denied, b)
		f.Reason, f.Remedy = c.whyDenied(denied, b)
	case d.allowed == truth.No:
		f.Result = core.Missing
		c.settleNothing(f, b, asks)
	default:
		f.Result = core.Undetermined
		open := pick(d.denies, truth.Unknown)
		var maybe []gift
		if len(pick(d.allows, truth.Yes)) == 0 {
			maybe = pick(d.allows, truth.Unknown)
		}
		entries := pick(d.policies, truth.Unknown)
		f.Evidence = slices.Concat(c.evidence(maybe, open, b), c.policyEvidence(entries))
		f.Reason, f.Remedy = c.whyOpen(maybe, open, entries, b, asks)
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

// evidence points at role assignments and deny assignments, by their index in
// their list.
func (c *court) evidence(gifts []gift, bans []ban, b *brief) []core.Evidence {
	var out []core.Evidence
	for _, x := range bans {
		out = append(out, core.Evidence{
			Document: x.barrier.doc.ID, Kind: core.DenyAssignments, Statement: x.item.index, Sid: wording.Abridge(x.item.Name, 256),
			Start: x.item.start, End: x.item.end, Clause: core.DigestOf(c.canonicalBan(x, b)),
			ConfluentOnly: !b.subject.own && c.onlyConfluent(x.item),
		})
	}
	for _, g := range gifts {
		out = append(out, core.Evidence{
			Document: g.roster.doc.ID, Kind: core.RoleAssignments, Statement: g.item.index, Sid: wording.Abridge(c.roleName(g.item), 256),
			Start: g.item.start, End: g.item.end, Clause: core.DigestOf(c.canonicalGift(g, b)),
		})
	}
	return out
}

// policyEvidence points at access policies.
func (c *court) policyEvidence(entries []*accessPolicy) []core.Evidence {
	var out []core.Evidence
	for _, p := range entries {
		out = append(out, core.Evidence{Document: c.file.vault.doc.ID, Kind: core.Vault, Statement: p.index, Start: p.start, End: p.end, Clause: core.DigestOf(c.canonicalPolicy(p))})
	}
	return out
}

// roleEvidence points at the definition of a role, where it was given.
func (c *court) roleEvidence(guid string, b *brief) []core.Evidence {
	r, ok := c.file.roles[guid]
	if !ok || r.end == 0 {
		return nil
	}
	return []core.Evidence{{Document: r.doc.ID, Kind: core.RoleDefinitions, Statement: r.index, Sid: wording.Abridge(r.Name, 256), Start: r.start, End: r.end, Clause: core.DigestOf("role " + c.canonicalRole(guid, b))}}
}

// vaultEvidence points at the vault's description as a whole, keyEvidence at the
// key's; said is what it says there.
func (f *file) vaultEvidence(said string) []core.Evidence {
	return []core.Evidence{{Document: f.vault.doc.ID, Kind: core.Vault, End: len(f.vault.doc.Text), Clause: core.DigestOf(said)}}
}

func (f *file) keyEvidence(said string) []core.Evidence {
	return []core.Evidence{{Document: f.item.doc.ID, Kind: core.VaultKey, Start: f.item.start, End: f.item.end, Clause: core.DigestOf(said)}}
}

// dates lists, sorted and once each, the instants at which something that is
// decided may change: those of the conditions of assignments that surely are
// those of somebody who is asked about.
func (c *court) dates() []time.Time {
	var out []time.Time
	for _, b := range []*brief{c.confluent, c.self} {
		for _, g := range b.gifts {
			if g.who != truth.Yes || !g.onKey {
				continue
			}
			if g.condition != nil {
				out = append(out, g.condition.dates...)
			}
			if d := c.role(g.item.role); d != nil {
				for _, x := range d.conditions {
					if x != nil {
						out = append(out, x.dates...)
					}
				}
			}
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// expires is the first moment after the question's at which a critical
// permission, or a right of ours, that is Met no longer is. It leaves the court at
// another time.
func (c *court) expires(findings []core.Finding) time.Time {
	named := c.dates()
	if c.timeless || len(named) == 0 {
		return time.Time{}
	}
	return expiry.First(c.at, named, expiry.Watched(findings), c.ends)
}

// ends says that one of needs is not Met at a time.
func (c *court) ends(needs []core.Requirement, at time.Time) bool {
	c.at = at
	return slices.ContainsFunc(needs, func(need core.Requirement) bool {
		if need.Aspect == core.Own {
			return c.decideAll(c.self, c.rightAsks(need.Permission)).allowed != truth.Yes
		}
		return c.decide(c.confluent, confluentAsk(need.Permission)).allowed != truth.Yes
	})
}
