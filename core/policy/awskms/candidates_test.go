package awskms

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
)

// ops lists the steps of candidates by name: "patch: PutKeyPolicy EnableKey".
func ops(candidates []core.Candidate) []string {
	var out []string
	for _, c := range candidates {
		line := c.Name + ":"
		for _, s := range c.Steps {
			line += " " + s.Op
		}
		out = append(out, line)
	}
	return out
}

func TestCandidatesByTheKeysState(t *testing.T) {
	good := key(snapshotText())
	broken := policyText(rootStatement, attachStatement, auditStatement)
	restore := func(k *core.Key) { k.KeyState = core.CareRestore }
	for name, x := range map[string]struct {
		live  string
		state string
		care  func(*core.Key)
		want  []string
	}{
		"an enabled key gets its policy back":                        {broken, "Enabled", restore, []string{"patch: PutKeyPolicy"}},
		"a disabled key is left alone":                               {broken, "Disabled", func(*core.Key) {}, nil},
		"a disabled key is enabled where opted in":                   {snapshotText(), "Disabled", restore, []string{"enable: EnableKey"}},
		"a disabled key gets both where opted in, or at least is on": {broken, "Disabled", restore, []string{"patch: PutKeyPolicy EnableKey", "enable: EnableKey"}},
		"a deletion is never cancelled":                              {broken, "PendingDeletion", restore, nil},
		"a key without material is left alone":                       {broken, "PendingImport", restore, nil},
	} {
		t.Run(name, func(t *testing.T) {
			q := asks(x.care)
			live := core.Policy{{Kind: core.KeyPolicy, ID: theKey, Text: x.live}, metadataOf(x.state)}
			lost := lostBetween(live, good, q)
			if len(lost) == 0 {
				t.Fatal("nothing is lost")
			}
			candidates, err := Candidates(live, good, q, lost)
			if err != nil {
				t.Fatal(err)
			}
			if got := ops(candidates); !slices.Equal(got, x.want) {
				t.Errorf("got %q, want %q", got, x.want)
			}
			for _, c := range candidates {
				if err := Guard(live, good, c, q, false); err != nil {
					t.Error(err)
				}
				if x.state == "Disabled" && Judge(c.Result, q).Disabled {
					t.Errorf("%s leaves the key disabled", c.Name)
				}
			}
		})
	}
}

func TestAKeyThatWasDisabledInTheSnapshotStaysSo(t *testing.T) {
	q := asks(func(k *core.Key) { k.KeyState = core.CareRestore })
	live := core.Policy{{Kind: core.KeyPolicy, ID: theKey, Text: policyText(rootStatement)}, metadataOf("Disabled")}
	good := core.Policy{{Kind: core.KeyPolicy, ID: theKey, Text: snapshotText()}, metadataOf("Disabled")}
	lost := lostBetween(live, good, q)
	if len(lost) == 0 {
		t.Fatal("nothing is lost")
	}
	if candidates, err := Candidates(live, good, q, lost); err != nil || len(candidates) > 0 {
		t.Errorf("%q, %v", ops(candidates), err)
	}
}

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
		improves  bool
	}{
		"what was lost is met":                   {of(met, missing, missing), of(met, met, missing), true},
		"what was lost is clear no more":         {of(met, missing, missing), of(met, unclear, missing), false},
		"only what was not lost is met":          {of(met, missing, missing), of(met, missing, met), false},
		"something else gets worse":              {of(met, missing, met), of(met, met, unclear), false},
		"something else gets worse still":        {of(met, missing, unclear), of(met, met, missing), false},
		"nothing changes":                        {of(met, met, met), of(met, met, met), false},
		"we could not write any more":            {of(met, missing, met), of(missing, met, met), false},
		"nobody knows whether we could write":    {of(met, missing, met), of(unclear, met, met), false},
		"we may write, which nobody knew before": {of(unclear, missing, met), of(met, met, met), true},
		"we could not write before either":       {of(missing, missing, met), of(missing, met, met), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (bench{lost: []core.Requirement{a}}).improves(x.now, x.then); got != x.improves {
				t.Errorf("%t", got)
			}
		})
	}
}

func TestThereIsNoCandidate(t *testing.T) {
	good := key(snapshotText())
	for name, x := range map[string]struct {
		live, good core.Policy
		q          core.Question
	}{
		"for a revoked key":                      {key(policyText(rootStatement, revokedStatement)), good, asks()},
		"where nothing the snapshot had is lost": {key(policyText(rootStatement)), key(policyText(rootStatement)), asks()},
	} {
		t.Run(name, func(t *testing.T) {
			candidates, err := Candidates(x.live, x.good, x.q, lostBetween(x.live, x.good, x.q))
			if err != nil || len(candidates) != 0 {
				t.Errorf("%q, %v", ops(candidates), err)
			}
		})
	}
}

func TestWhatCandidatesCannotRead(t *testing.T) {
	good, q := key(snapshotText()), asks()
	lost := lostBetween(key(policyText(rootStatement)), good, q)
	other := asks(func(k *core.Key) { k.ID = "arn:aws:kms:us-west-2:111122223333:key/x; rm -rf /" })
	for name, x := range map[string]struct {
		live, good core.Policy
		q          core.Question
		says       string
	}{
		"live does not parse":       {key("{"), good, q, "live policy"},
		"live can't be read":        {core.Policy{{Kind: core.KeyPolicy, ID: theKey, Unreadable: "access denied"}}, good, q, "access denied"},
		"there is no live policy":   {nil, good, q, "no key policy"},
		"the snapshot is truncated": {key(policyText(rootStatement)), key(snapshotText()[:200]), q, "snapshot"},
		"the key is no key ARN":     {key(policyText(rootStatement)), good, other, "not a KMS key ARN"},
	} {
		t.Run(name, func(t *testing.T) {
			candidates, err := Candidates(x.live, x.good, x.q, lost)
			if err == nil || len(candidates) != 0 || !strings.Contains(err.Error(), x.says) {
				t.Errorf("%q, %v", ops(candidates), err)
			}
		})
	}
}

// padding is statements of somebody else, about n bytes of them.
func padding(n int) []string {
	var out []string
	for i := 0; n > 0; i++ {
		s := fmt.Sprintf(`{"Sid": "pad%d", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app%d"}, "Action": ["kms:Decrypt"], "Resource": "*"}`, i, i)
		out = append(out, s)
		n -= len(s)
	}
	return out
}

func TestAPolicyNearTheLimitIsWrittenCompactly(t *testing.T) {
	q := asks()
	for name, x := range map[string]struct {
		bytes int
		fits  bool
	}{
		"room for spaces":    {20000, true},
		"room without them":  {32300, true},
		"no room whatsoever": {36000, false},
	} {
		t.Run(name, func(t *testing.T) {
			rest := padding(x.bytes)
			live := key(policyText(append([]string{rootStatement}, rest...)...))
			good := key(policyText(append([]string{rootStatement, useStatement, attachStatement}, rest...)...))
			candidates, err := Candidates(live, good, q, lostBetween(live, good, q))
			if !x.fits {
				if !errors.Is(err, errTooLarge) || len(candidates) > 0 {
					t.Errorf("%q, %v", ops(candidates), err)
				}
				return
			}
			if err != nil || len(candidates) == 0 {
				t.Fatalf("%q, %v", ops(candidates), err)
			}
			if n := len(textOf(t, candidates[0].Result)); n > maxPolicy {
				t.Errorf("%d bytes", n)
			}
			if err := Guard(live, good, candidates[0], q, false); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALargePolicyIsPatchedInTime(t *testing.T) {
	var denies []string
	for i := range 120 {
		denies = append(denies, fmt.Sprintf(`{"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": ["o-a1b2c3d4e5", "o-b%09d"]}}}`, i))
	}
	q := asks(func(k *core.Key) { k.Organization = "o-a1b2c3d4e5"; k.ConfluentOrganization = "o-confluent0" })
	good := key(policyText(rootStatement, useStatement, attachStatement))
	live := key(policyText(append([]string{rootStatement, attachStatement}, denies[:60]...)...))
	start := time.Now()
	candidates, err := Candidates(live, good, q, lostBetween(live, good, q))
	if err != nil || len(candidates) == 0 {
		t.Fatalf("%q, %v", ops(candidates), err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestTheKeysOwnARNAsResourceHasAFallback(t *testing.T) {
	q := asks()
	own := strings.Replace(rootStatement, `"Resource": "*"`, `"Resource": "`+theKey+`"`, 1)
	live, good := key(policyText(own, attachStatement)), key(policyText(own, useStatement, attachStatement))
	candidates, err := Candidates(live, good, q, lostBetween(live, good, q))
	if err != nil {
		t.Fatal(err)
	}
	if len(candidates) != 2 || textOf(t, candidates[0].Result) != textOf(t, good) || strings.Contains(textOf(t, candidates[1].Result), theKey) {
		t.Fatalf("%q: %s", ops(candidates), textOf(t, candidates[len(candidates)-1].Result))
	}
	for _, c := range candidates {
		if err := Guard(live, good, c, q, false); err != nil {
			t.Error(err)
		}
	}
}

func TestCommandsHoldNothingButTheKey(t *testing.T) {
	live, good := key(policyText(rootStatement)), key(policyText(rootStatement, strings.Replace(useStatement, `"use"`, `"$(reboot)"`, 1), attachStatement))
	want := "aws kms put-key-policy --region us-west-2 --key-id " + theKey + " --policy-name default --policy file://policy.json"
	for _, c := range []core.Candidate{best(t, live, good, asks())} {
		for _, s := range c.Steps {
			if s.Command != want {
				t.Errorf("got %s", s.Command)
			}
		}
	}
}

func TestWhatWasInDoubtComesBackInItsOwnWords(t *testing.T) {
	// The console's own condition on grants can't be decided. It was so in the
	// snapshot too, and comes back as it was.
	doubtful := strings.Replace(attachStatement, `"Resource": "*"`, `"Resource": "*", "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}`, 1)
	grantsToo := strings.Replace(useStatement, `"kms:DescribeKey"]`, `"kms:DescribeKey", "kms:CreateGrant"]`, 1)
	q := asks()
	for name, x := range map[string]struct{ good, live core.Policy }{
		"in a statement of its own":           {key(policyText(rootStatement, useStatement, doubtful)), key(policyText(rootStatement))},
		"next to what it was allowed as well": {key(policyText(rootStatement, grantsToo, doubtful)), key(policyText(rootStatement))},
		"and nothing else was lost":           {key(policyText(rootStatement, useStatement, doubtful)), key(policyText(rootStatement, useStatement))},
		"where a Deny is the loss":            {key(policyText(rootStatement, useStatement, doubtful)), key(policyText(rootStatement, useStatement, namedDeny))},
	} {
		t.Run(name, func(t *testing.T) {
			c := best(t, x.live, x.good, q)
			if err := Guard(x.live, x.good, c, q, false); err != nil {
				t.Error(err)
			}
			if got := textOf(t, c.Result); got != textOf(t, x.good) {
				t.Errorf("not the snapshot: %s", got)
			}
		})
	}
}

func TestVariablesDoNotComeBackInAnotherVersion(t *testing.T) {
	// The snapshot's words would mean something else under live's Version.
	const variable = `"Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}}`
	q := asks()
	for name, use := range map[string]string{
		"a statement of Confluent's own": useStatement,
		"a statement that others shared": strings.Replace(useStatement, `["`, `["`+stranger+`", "`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			good := key(policyText(rootStatement, strings.Replace(use, `"Resource": "*"`, variable, 1), attachStatement))
			live := key(strings.Replace(policyText(rootStatement), version2012, version2008, 1))
			lost := lostBetween(live, good, q)
			if !slices.ContainsFunc(lost, func(r core.Requirement) bool { return r.Permission == "kms:Decrypt" }) {
				t.Fatal("kms:Decrypt is not lost")
			}
			candidates, err := Candidates(live, good, q, lost)
			if err != nil || len(candidates) == 0 {
				t.Fatalf("nothing at all comes back: %v", err)
			}
			for _, c := range candidates {
				if strings.Contains(textOf(t, c.Result), "${") {
					t.Errorf("wrote %s", textOf(t, c.Result))
				}
				if err := Guard(live, good, c, q, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
