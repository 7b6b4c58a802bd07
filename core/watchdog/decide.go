package watchdog

import (
	"slices"

	"byokwatch/core"
)

// Decide relates a live judgement to that of the snapshot, both made now, by
// the same code, for the same needs. good is nil where there is no snapshot.
func Decide(live core.Judgement, good *core.Judgement) core.Verdict {
	v := core.Verdict{State: core.Intact, Findings: live.Findings}
	had := map[core.Requirement]core.Finding{}
	if good != nil {
		for _, f := range good.Findings {
			had[f.Requirement] = f
		}
	}
	for _, f := range live.Findings {
		if f.Severity != core.Critical || f.Aspect == core.Own {
			continue
		}
		before, known := had[f.Requirement]
		switch f.Result {
		case core.Met:
		case core.Missing:
			// What the snapshot gave in a way that nobody can decide, and a
			// person accepted, is lost all the same when it is gone.
			if known && before.Result != core.Missing {
				v.Lost = append(v.Lost, f.Requirement)
			} else {
				v.Never = append(v.Never, f.Requirement)
			}
		case core.Undetermined:
			if !known || before.Result != core.Undetermined || !sameClauses(f, before) {
				v.Doubt = append(v.Doubt, f)
			}
		}
	}
	switch {
	case len(v.Lost)+len(v.Never) > 0:
		v.State = core.Broken
	case len(v.Doubt) > 0:
		v.State = core.Unclear
	}
	return v
}

// sameClauses says that two undetermined findings turn on the same set of
// clauses. A finding without evidence is never the same as another: what could
// not even be read is not what somebody accepted.
func sameClauses(a, b core.Finding) bool {
	ca, cb := clauses(a), clauses(b)
	return len(ca) > 0 && slices.Equal(ca, cb)
}

func clauses(f core.Finding) []core.Digest {
	var out []core.Digest
	for _, e := range f.Evidence {
		if e.Clause == "" {
			return nil
		}
		out = append(out, e.Clause)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// worse says that a policy judged b answers some requirement worse than one
// judged a. Both must answer the same needs.
func worse(a, b core.Judgement) bool {
	rank := map[core.Result]int{core.Missing: 0, core.Undetermined: 1, core.Met: 2}
	before := map[core.Requirement]core.Result{}
	for _, f := range a.Findings {
		before[f.Requirement] = f.Result
	}
	for _, f := range b.Findings {
		was, known := before[f.Requirement]
		if !known || rank[f.Result] < rank[was] {
			return true
		}
	}
	return len(a.Findings) != len(b.Findings) || rank[b.Writable] < rank[a.Writable]
}

// gains says that b brings something lost back to what it was in the snapshot.
func gains(lost []core.Requirement, good, b core.Judgement) bool {
	had := map[core.Requirement]core.Result{}
	for _, f := range good.Findings {
		had[f.Requirement] = f.Result
	}
	for _, f := range b.Findings {
		was, known := had[f.Requirement]
		if known && f.Result != core.Missing && f.Result == was && slices.Contains(lost, f.Requirement) {
			return true
		}
	}
	return false
}

// findings picks those of some requirements.
func findings(all []core.Finding, of ...core.Requirement) []core.Finding {
	var out []core.Finding
	for _, f := range all {
		if slices.Contains(of, f.Requirement) {
			out = append(out, f)
		}
	}
	return out
}

// ownMissing lists the rights of ours that are gone.
func ownMissing(j core.Judgement) []core.Requirement {
	var out []core.Requirement
	for _, f := range j.Findings {
		if f.Aspect == core.Own && f.Result == core.Missing {
			out = append(out, f.Requirement)
		}
	}
	return out
}

// slim bounds the evidence of findings that are stored or told: a policy of a
// thousand Denies must not make a record that can't be written.
func slim(all []core.Finding) []core.Finding {
	const most = 3
	out := slices.Clone(all)
	for i := range out {
		out[i].Evidence = out[i].Evidence[:min(most, len(out[i].Evidence))]
	}
	return out
}
