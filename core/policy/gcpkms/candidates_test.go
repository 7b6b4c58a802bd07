package gcpkms

import (
	"strings"
	"testing"

	"byokwatch/core"
)

func TestACandidateMustImproveAndTakeNothing(t *testing.T) {
	need := func(permission string) core.Requirement {
		return core.Requirement{Aspect: core.Access, Permission: permission}
	}
	a, b := need("a"), need("b")
	of := func(writable core.Result, results ...core.Result) core.Judgement {
		return core.Judgement{Writable: writable, Findings: []core.Finding{{Requirement: a, Result: results[0]}, {Requirement: b, Result: results[1]}}}
	}
	const met, missing, unclear = core.Met, core.Missing, core.Undetermined
	for name, x := range map[string]struct {
		now, then core.Judgement
		had       core.Result
		gained    int
	}{
		"what was lost is met":                      {of(met, missing, missing), of(met, met, missing), met, 1},
		"what was lost is in doubt as it was":       {of(met, missing, missing), of(met, unclear, missing), unclear, 1},
		"what was lost is in doubt as it never was": {of(met, missing, missing), of(met, unclear, missing), met, 0},
		"only what was not lost is met":             {of(met, missing, missing), of(met, missing, met), met, 0},
		"something else gets worse":                 {of(met, missing, met), of(met, met, unclear), met, 0},
		"something else gets worse still":           {of(met, missing, unclear), of(met, met, missing), met, 0},
		"nothing changes":                           {of(met, met, met), of(met, met, met), met, 0},
		"we could not write any more":               {of(met, missing, met), of(missing, met, met), met, 0},
		"nobody knows whether we could write":       {of(met, missing, met), of(unclear, met, met), met, 0},
		"we may write, which nobody knew before":    {of(unclear, missing, met), of(met, met, met), met, 1},
		"nobody could use the key":                  {of(met, missing, met), core.Judgement{Disabled: true, Writable: met, Findings: of(met, met, met).Findings}, met, 0},
	} {
		t.Run(name, func(t *testing.T) {
			restore := bench{now: x.now, lost: []core.Requirement{a}, was: map[core.Requirement]core.Finding{a: {Requirement: a, Result: x.had}}}
			gained, ok := restore.improves(x.then)
			if gained != x.gained || ok != (x.gained > 0) {
				t.Errorf("%d, %t", gained, ok)
			}
		})
	}
}

func TestWhatCandidatesCannotRead(t *testing.T) {
	good := paid(payPolicy(payBinding(payRole, "group:"+payGroup)))
	live := paid(payPolicy())
	for name, x := range map[string]struct {
		live, good core.Policy
		q          core.Question
		says       string
	}{
		"live does not parse":                 {paid("{"), good, payAsks(), "live policy"},
		"live can't be read":                  {live.With(core.Document{Kind: core.IAMPolicy, ID: payKey, Unreadable: "access denied"}), good, payAsks(), "access denied"},
		"there is no live policy":             {nil, good, payAsks(), "missing"},
		"live has no etag":                    {paid(`{"bindings": []}`), good, payAsks(), "no etag"},
		"live was read in an old form":        {paid(payPolicy(payBinding("roles/viewer_withcond_2f1a", payApp))), good, payAsks(), "version 3"},
		"the project's policy does not parse": {withText(live, core.IAMPolicy, payProject, "{"), good, payAsks(), "does not parse"},
		"the snapshot is truncated":           {live, paid(policyText(t, good)[:60]), payAsks(), "snapshot"},
		"the key has no proper name":          {live, good, payAsks(func(k *core.Key) { k.ID = "projects/acme; rm -rf /" }), "not the name of a cryptoKey"},
		"the group has no address":            {live, good, payAsks(func(k *core.Key) { k.Needs.Group = "group:x" }), "not the address"},
	} {
		t.Run(name, func(t *testing.T) {
			q := asked(x.q, live, good)
			candidates, err := Candidates(x.live, x.good, q, payLost(live, good, asked(payAsks(), live, good)))
			if err == nil || len(candidates) > 0 || !strings.Contains(err.Error(), x.says) {
				t.Errorf("%v, %v", candidates, err)
			}
		})
	}
}
