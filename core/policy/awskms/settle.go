package awskms

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// settle turns a decision into a finding: the result, the statements that
// decided it, why, and what a person may write instead.
func (c *court) settle(f *core.Finding, e *evaluator, d decision) {
	denied := pick(d.denies, truth.Yes)
	switch {
	case d.allowed == truth.Yes:
		f.Result = core.Met
		given := pick(d.allows, truth.Yes)
		f.Evidence = c.evidence(given)
		f.Reason, f.Remedy = e.whyMet(given)
	case len(denied) > 0:
		f.Result = core.Missing
		f.Evidence = c.evidence(denied)
		f.Reason, f.Remedy = c.whyDenied(e, denied)
	case len(d.allows) == 0:
		f.Result = core.Missing
		var near []hit
		near, f.Reason, f.Remedy = c.whyNotAllowed(e, wording.Lower(f.Permission), f.Permission)
		f.Evidence = c.evidence(near)
	default:
		f.Result = core.Undetermined
		open := pick(d.denies, truth.Unknown)
		if len(pick(d.allows, truth.Yes)) == 0 {
			open = append(open, pick(d.allows, truth.Unknown)...)
		}
		f.Evidence = c.evidence(open)
		f.Reason, f.Remedy = c.whyOpen(e, wording.Lower(f.Permission), open)
	}
}

func pick(hits []hit, match truth.Truth) []hit {
	var out []hit
	for _, h := range hits {
		if h.match == match {
			out = append(out, h)
		}
	}
	return out
}

// evidence points at the statements of hits, each once, in the document's
// order.
func (c *court) evidence(hits []hit) []core.Evidence {
	var out []core.Evidence
	for _, h := range hits {
		if slices.ContainsFunc(out, func(e core.Evidence) bool { return e.Statement == h.rule.index }) {
			continue
		}
		out = append(out, core.Evidence{
			Document: c.doc.ID, Statement: h.rule.index, Sid: wording.Abridge(h.rule.Sid, 256),
			Start: h.rule.start, End: h.rule.end,
			Clause:        c.digestOfRule(h.rule),
			ConfluentOnly: h.rule.deny && c.onlyConfluent(h.rule),
		})
	}
	slices.SortFunc(out, func(a, b core.Evidence) int { return a.Statement - b.Statement })
	return out
}

// digestOfRule hashes each statement once, however many findings it decides.
func (c *court) digestOfRule(r *rule) core.Digest {
	if r.digest == "" {
		r.digest = c.clauseDigest(*r.statement, partition(c.doc.ID))
	}
	return r.digest
}

func (c *court) onlyConfluent(r *rule) bool {
	if r.only == truth.Unknown {
		r.only = truth.Known(onlyConfluent(r.statement, c.key))
	}
	return r.only == truth.Yes
}
