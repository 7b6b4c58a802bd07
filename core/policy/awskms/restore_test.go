package awskms

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"byokwatch/core"
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

// lostBetween is what Confluent lost, as the verdict over a key says it.
func lostBetween(live, good core.Policy, q core.Question) []core.Requirement {
	var lost []core.Requirement
	now, before := Judge(live, q).Findings, Judge(good, q).Findings
	for i, f := range now {
		if f.Severity == core.Critical && f.Aspect != core.Own && f.Result == core.Missing && before[i].Result != core.Missing {
			lost = append(lost, f.Requirement)
		}
	}
	return lost
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
	files, err := filepath.Glob("testdata/restore/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { playRestore(t, file) })
	}
}

func playRestore(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var live, good core.Policy
	q := asks()
	verified := false
	kept := a.Files[:0:0]
	var want []string
	for _, f := range a.Files {
		text := strings.TrimSpace(string(f.Data))
		switch {
		case f.Name == "live":
			live = key(text)
			kept = append(kept, f)
		case f.Name == "snapshot":
			good = key(text)
			kept = append(kept, f)
		case f.Name == "options":
			q, verified = options(t, text)
			kept = append(kept, f)
		case strings.HasPrefix(f.Name, "candidate "):
			want = append(want, f.Name+"\n"+string(f.Data))
		default:
			t.Fatalf("unknown section %q", f.Name)
		}
	}
	lost := lostBetween(live, good, q)
	if len(lost) == 0 {
		t.Fatal("nothing is lost: the archive plays nothing")
	}
	candidates, err := Candidates(live, good, q, lost)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, c := range candidates {
		if err := Guard(live, good, c, q, verified); err != nil {
			t.Errorf("candidate %d: %v", i, err)
		}
		got = append(got, fmt.Sprintf("candidate %d %s\n%s", i, c.Name, describeCandidate(t, live, good, c, q, lost)))
	}
	if *update {
		a.Files = kept
		for _, g := range got {
			name, data, _ := strings.Cut(g, "\n")
			a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
		}
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\n\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
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

func describeCandidate(t *testing.T, live, good core.Policy, c core.Candidate, q core.Question, lost []core.Requirement) string {
	var b strings.Builder
	for _, l := range c.Left {
		fmt.Fprintf(&b, "left: %s\n", l)
	}
	back := 0
	still := map[string]int{}
	for _, f := range Judge(c.Result, q).Findings {
		if slices.Contains(lost, f.Requirement) {
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
	fmt.Fprintf(&b, "gives back %d of %d\n", back, len(lost))
	for _, d := range Diff(good, c.Result) {
		fmt.Fprintf(&b, "than the snapshot: %s: %s\n", d.Change, d.Text)
	}
	text := textOf(t, c.Result)
	if text == textOf(t, good) {
		text = "(the snapshot to the byte)"
	}
	b.WriteString(text + "\n")
	return b.String()
}
