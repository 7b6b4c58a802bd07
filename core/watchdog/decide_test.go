package watchdog_test

import (
	"testing"

	"byokwatch/core"
	"byokwatch/core/watchdog"
)

func TestAVerdictIsRelativeToTheSnapshot(t *testing.T) {
	need := core.Requirement{Aspect: core.Access, Principal: "kafka", Permission: "decrypt", Severity: core.Critical}
	minor, own := need, need
	minor.Severity, own.Aspect = core.Warning, core.Own
	one := func(r core.Requirement, res core.Result, clauses ...core.Digest) core.Judgement {
		f := core.Finding{Requirement: r, Result: res}
		for _, c := range clauses {
			f.Evidence = append(f.Evidence, core.Evidence{Clause: c})
		}
		return core.Judgement{Findings: []core.Finding{f}}
	}
	for name, c := range map[string]struct {
		live  core.Judgement
		good  *core.Judgement
		state core.State
		lost  int
		never int
		doubt int
	}{
		"met":                              {one(need, core.Met), ptr(one(need, core.Met)), core.Intact, 0, 0, 0},
		"lost":                             {one(need, core.Missing), ptr(one(need, core.Met)), core.Broken, 1, 0, 0},
		"never had":                        {one(need, core.Missing), ptr(one(need, core.Missing)), core.Broken, 0, 1, 0},
		"never had without a snapshot":     {one(need, core.Missing), nil, core.Broken, 0, 1, 0},
		"lost, though it was in doubt":     {one(need, core.Missing), ptr(one(need, core.Undetermined)), core.Broken, 1, 0, 0},
		"never had if that was not needed": {one(need, core.Missing), ptr(core.Judgement{}), core.Broken, 0, 1, 0},
		"a doubt":                          {one(need, core.Undetermined, "a"), ptr(one(need, core.Met, "a")), core.Unclear, 0, 0, 1},
		"the doubt of the snapshot":        {one(need, core.Undetermined, "a", "b"), ptr(one(need, core.Undetermined, "b", "a", "a")), core.Intact, 0, 0, 0},
		"another doubt":                    {one(need, core.Undetermined, "a", "c"), ptr(one(need, core.Undetermined, "a")), core.Unclear, 0, 0, 1},
		"a doubt without evidence":         {one(need, core.Undetermined), ptr(one(need, core.Undetermined)), core.Unclear, 0, 0, 1},
		"a doubt without a snapshot":       {one(need, core.Undetermined, "a"), nil, core.Unclear, 0, 0, 1},
		"a warning changes nothing":        {one(minor, core.Missing), ptr(one(minor, core.Met)), core.Intact, 0, 0, 0},
		"a right of ours changes nothing":  {one(own, core.Missing), ptr(one(own, core.Met)), core.Intact, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := watchdog.Decide(c.live, c.good)
			if v.State != c.state || len(v.Lost) != c.lost || len(v.Never) != c.never || len(v.Doubt) != c.doubt {
				t.Errorf("%+v", v)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }
