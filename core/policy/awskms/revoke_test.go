package awskms

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
)

func TestRevokeTakesAllFromConfluentAndNothingFromOthers(t *testing.T) {
	for name, x := range map[string]struct {
		q    core.Question
		text string
	}{
		"roles":              {asks(), snapshotText()},
		"an account":         {asks(func(k *core.Key) { k.Needs = core.Confluent{Principals: []string{legacy}} }), strings.ReplaceAll(snapshotText(), kafka, legacy)},
		"roles and accounts": {asks(func(k *core.Key) { k.Needs.Principals = []string{legacy} }), strings.ReplaceAll(snapshotText(), stranger, legacy)},
	} {
		t.Run(name, func(t *testing.T) {
			live := key(x.text)
			c, err := Revoke(live, x.q, "SEC-812: key leaked; <!channel>")
			if err != nil {
				t.Fatal(err)
			}
			j := Judge(c.Result, x.q)
			if !j.Revoked || j.Writable != core.Met {
				t.Errorf("revoked %t, writable %s", j.Revoked, j.Writable)
			}
			if !strings.HasSuffix(j.Marker, " SEC-812 key leaked channel") {
				t.Errorf("marker %q", j.Marker)
			}
			for _, f := range j.Findings {
				if f.Aspect == core.Access && f.Result != core.Missing {
					t.Errorf("%s %s is %s", f.Principal, f.Permission, f.Result)
				}
			}
			was, is := verdicts(t, live, x.q), verdicts(t, c.Result, x.q)
			for what := range was {
				if was[what] != is[what] {
					t.Errorf("%s was %s and is %s", what, was[what], is[what])
				}
			}
			if candidates, err := Candidates(c.Result, live, x.q, lostBetween(c.Result, live, x.q)); len(candidates) > 0 || err != nil {
				t.Errorf("a restore would undo it: %q, %v", ops(candidates), err)
			}
			if _, err := Revoke(c.Result, x.q, "again"); !errors.Is(err, ErrRevoked) {
				t.Errorf("again: %v", err)
			}
			back, err := Reinstate(c.Result, x.q)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range Diff(live, back.Result) {
				if d.Text != "no longer allows kms:List* to AIDACKCEVSQ6C2EXAMPLE where aws:SecureTransport is Bool true" {
					t.Errorf("not as before: %+v", d)
				}
			}
		})
	}
}

func TestRevokeRefuses(t *testing.T) {
	for name, q := range map[string]core.Question{
		"the account that holds the key": asks(func(k *core.Key) { k.Needs = core.Confluent{Principals: []string{"arn:aws:iam::111122223333:root"}} }),
		"a key without principals":       asks(func(k *core.Key) { k.Needs = core.Confluent{} }),
		"a pattern of roles":             asks(func(k *core.Key) { k.Needs = core.Confluent{Roles: []string{"arn:aws:iam::111122223333:role/*"}} }),
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := Revoke(key(snapshotText()), q, "x"); err == nil {
				t.Errorf("wrote %s", textOf(t, c.Result))
			}
		})
	}
	if _, err := Reinstate(key(snapshotText()), asks()); !errors.Is(err, ErrNotRevoked) {
		t.Errorf("reinstating what nobody revoked: %v", err)
	}
}

func TestTheRevocationAsItIsWritten(t *testing.T) {
	c, err := Revoke(key(policyText(rootStatement)), asks(), strings.Repeat("long ", 100))
	if err != nil {
		t.Fatal(err)
	}
	p, err := parse(textOf(t, c.Result))
	if err != nil {
		t.Fatal(err)
	}
	s := p.Statements[0]
	if len(s.Sid) > len(revocationMarker)+1+maxReason || s.Effect != "Deny" || !slices.Equal(s.Principal.AWS, []string{"*"}) || !slices.Equal(s.Action, []string{"kms:*"}) {
		t.Errorf("%+v", s)
	}
	want := []condition{{"ArnLike", "aws:PrincipalArn", []string{
		kafka, "arn:aws:iam::152535741197:role/aws:ec2-infrastructure*", storage, "arn:aws:iam::123456789876:role/aws:ec2-infrastructure*"}}}
	if len(s.Conditions) != 1 || s.Conditions[0].Operator != want[0].Operator || s.Conditions[0].Key != want[0].Key || !slices.Equal(s.Conditions[0].Values, want[0].Values) {
		t.Errorf("conditions %+v", s.Conditions)
	}
}
