package policytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"byokwatch/core"
)

// Golden compares a text with testdata/words/NAME.golden, or writes that.
func Golden(t *testing.T, update bool, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "words", name+".golden")
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Lost is what Confluent lost, as the verdict over a key says it.
func Lost(judge func(core.Policy, core.Question) core.Judgement, live, good core.Policy, q core.Question) []core.Requirement {
	var lost []core.Requirement
	now, before := judge(live, q).Findings, judge(good, q).Findings
	for i, f := range now {
		if f.Severity == core.Critical && f.Aspect != core.Own && f.Result == core.Missing && before[i].Result != core.Missing {
			lost = append(lost, f.Requirement)
		}
	}
	return lost
}

// Restores plays the archives of testdata/restore: from live and snapshot to each
// candidate. An archive's sections are the inputs, then one "candidate N NAME"
// for each candidate, or "none".
type Restores struct {
	Update bool // write what comes out into the archives
	Least  int  // how many archives there are at least

	Judge      func(core.Policy, core.Question) core.Judgement
	Candidates func(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error)
	Guard      func(live, good core.Policy, c core.Candidate, q core.Question, verified bool) error
	// Open reads the inputs of an archive.
	Open func(t *testing.T, inputs []Section) Restore
	// Describe tells one candidate, and None, if not nil, what else there is
	// where there is no candidate.
	Describe func(t *testing.T, r Restore, c core.Candidate) string
	None     func(r Restore) string
}

// Section is one part of an archive.
type Section struct{ Name, Text string }

// Restore is one archive, read.
type Restore struct {
	Live, Good core.Policy
	Q          core.Question
	Verified   bool
	Lost       []core.Requirement // filled in
}

// Run plays every archive as a test of its own.
func (r Restores) Run(t *testing.T) {
	files, err := filepath.Glob("testdata/restore/*.txtar")
	if err != nil || len(files) < max(r.Least, 1) {
		t.Fatalf("%d archives: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { r.play(t, file) })
	}
}

func (r Restores) play(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kept := a.Files[:0:0]
	var inputs []Section
	var want []string
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "candidate ") || f.Name == "none" {
			want = append(want, f.Name+"\n"+string(f.Data))
			continue
		}
		kept = append(kept, f)
		inputs = append(inputs, Section{f.Name, strings.TrimSpace(string(f.Data))})
	}
	x := r.Open(t, inputs)
	if x.Lost = Lost(r.Judge, x.Live, x.Good, x.Q); len(x.Lost) == 0 {
		t.Fatalf("nothing is lost: the archive plays nothing; live %+v", r.Judge(x.Live, x.Q).Findings)
	}
	candidates, err := r.Candidates(x.Live, x.Good, x.Q, x.Lost)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, c := range candidates {
		if err := r.Guard(x.Live, x.Good, c, x.Q, x.Verified); err != nil {
			t.Errorf("candidate %d: %v", i, err)
		}
		got = append(got, fmt.Sprintf("candidate %d %s\n%s", i, c.Name, r.Describe(t, x, c)))
	}
	if len(got) == 0 {
		got = append(got, "none\n")
		if r.None != nil {
			got[0] += r.None(x)
		}
	}
	if r.Update {
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
