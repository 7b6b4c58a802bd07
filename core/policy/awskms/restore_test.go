package awskms

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
)

var update = flag.Bool("update", false, "rewrite the golden files of restores")

const (
	theKey   = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	watcher  = "arn:aws:iam::111122223333:role/byokwatch"
	kafka    = "arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"
	storage  = "arn:aws:iam::123456789876:role/block_storage_manager"
	legacy   = "arn:aws:iam::188317769500:root"
	stranger = "arn:aws:iam::999999999999:role/stranger"
)

// asks is the question about a key that is enforced, with two Confluent roles,
// as the watchdog would ask it.
func asks(change ...func(*core.Key)) core.Question {
	k := core.Key{ID: theKey, Cloud: core.AWS, Label: "payments", Mode: core.Enforce, Restore: core.Patch, KeyState: core.CareAlert,
		Needs: core.Confluent{Roles: []string{kafka, storage}}, Organization: "o-a1b2c3d4e5"}
	for _, c := range change {
		c(&k)
	}
	q := core.Question{Key: k, Self: watcher, At: time.Date(2026, 8, 20, 3, 2, 0, 0, time.UTC)}
	q.Needs = Needs(k, core.Policy{metadataOf("Enabled")}, nil)
	return q
}

func metadataOf(state string) core.Document {
	return core.Document{Kind: core.KeyMetadata, ID: theKey, Text: fmt.Sprintf(`{"KeyMetadata": {"AWSAccountId": "111122223333", "Arn": %q, "Enabled": %t, "KeyState": %q, "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT", "Origin": "AWS_KMS", "MultiRegion": false}}`, theKey, state == "Enabled", state)}
}

// key is the policy of an enabled key.
func key(text string) core.Policy {
	return core.Policy{{Kind: core.KeyPolicy, ID: theKey, Text: text}, metadataOf("Enabled")}
}

// lostBetween is what Confluent lost.
func lostBetween(live, good core.Policy, q core.Question) []core.Requirement {
	return policytest.Lost(Judge, live, good, q)
}

func textOf(t testing.TB, p core.Policy) string {
	t.Helper()
	doc, ok := p.Find(core.KeyPolicy)
	if !ok {
		t.Fatal("no key policy")
	}
	return doc.Text
}

// TestRestores plays every archive of testdata/restore: from live and snapshot
// to each candidate. Section names are the files; the comment says what
// happened; "options" are words that change the question.
func TestRestores(t *testing.T) {
	policytest.Restores{
		Update: *update, Judge: Judge, Candidates: Candidates, Guard: Guard, Describe: describeCandidate,
		Open: func(t *testing.T, inputs []policytest.Section) policytest.Restore {
			r := policytest.Restore{Q: asks()}
			for _, in := range inputs {
				switch in.Name {
				case "live":
					r.Live = key(in.Text)
				case "snapshot":
					r.Good = key(in.Text)
				case "options":
					r.Q, r.Verified = options(t, in.Text)
				default:
					t.Fatalf("unknown section %q", in.Name)
				}
			}
			return r
		},
	}.Run(t)
}

func options(t *testing.T, text string) (core.Question, bool) {
	verified := false
	q := asks(func(k *core.Key) {
		for _, o := range strings.Fields(text) {
			switch o {
			case "restore:snapshot":
				k.Restore = core.WholeSnapshot
			case "verified":
				verified = true
			case "legacy":
				k.Needs = core.Confluent{Principals: []string{legacy}}
			case "both":
				k.Needs.Principals = []string{legacy}
			case "three":
				k.Needs.Roles = append(k.Needs.Roles, "arn:aws:iam::123456789876:role/third")
			default:
				t.Fatalf("unknown option %q", o)
			}
		}
	})
	return q, verified
}

func describeCandidate(t *testing.T, r policytest.Restore, c core.Candidate) string {
	var b strings.Builder
	for _, l := range c.Left {
		fmt.Fprintf(&b, "left: %s\n", l)
	}
	back := 0
	still := map[string]int{}
	for _, f := range Judge(c.Result, r.Q).Findings {
		if slices.Contains(r.Lost, f.Requirement) {
			if f.Result == core.Met {
				back++
			} else {
				still[f.Principal+" "+f.Result.String()]++
			}
		}
	}
	for _, who := range slices.Sorted(maps.Keys(still)) {
		fmt.Fprintf(&b, "still without %d: %s\n", still[who], who)
	}
	fmt.Fprintf(&b, "gives back %d of %d\n", back, len(r.Lost))
	for _, d := range Diff(r.Good, c.Result) {
		fmt.Fprintf(&b, "than the snapshot: %s: %s\n", d.Change, d.Text)
	}
	text := textOf(t, c.Result)
	if text == textOf(t, r.Good) {
		text = "(the snapshot to the byte)"
	}
	b.WriteString(text + "\n")
	return b.String()
}
