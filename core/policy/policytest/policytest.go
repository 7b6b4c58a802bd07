// Package policytest runs a corpus of policies against a judge: documents and
// needs in, expected findings out, and for every case the documentation that
// the expectation comes from. A corpus states what a cloud does, so it outlives
// the code that it tests; a case whose source is our own code proves nothing
// and is refused.
//
// A corpus file is a txtar archive. Sections without a slash hold for the whole
// file, sections named "sentence/section" for the one case that the sentence
// describes, and stand in for the file's own; a case's config lines are added to
// the file's. The sections are
//
//	source    where the expectation comes from: one address per line
//	config    the key and the question, one "word value" per line; see parseConfig
//	expect    the expected judgement, one line each; see expect
//	a document of [Suite.Documents], such as policy.json; empty means that it
//	is not there; with ".unreadable" appended, the reason why it can't be read
//	anything that a document of the file mentions as <<name>>: text that a case
//	puts in its place, so that a case shows only what is its own
//
// Every other section fails the file, so that a misspelt one is never skipped.
package policytest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"byokwatch/core"
)

// Suite is a judge and what its corpus may hold.
type Suite struct {
	Judge func(p core.Policy, q core.Question) core.Judgement
	Needs func(k core.Key, live, good core.Policy) []core.Requirement
	Cloud core.Cloud
	// Documents gives the kind of the document that a section holds.
	Documents map[string]core.Kind
	// IDs gives the ID of a section's document where that is not the key's;
	// nil where all have the key's.
	IDs map[string]string
	// Sources are the beginnings of addresses that count as documentation.
	Sources []string
}

// Outcome is how one case went: Err is nil if the judge said what it should.
type Outcome struct {
	Case string
	Err  error
}

// Run runs every file that matches the pattern as a subtest, and each of its
// cases within. It fails if the corpus has fewer than atLeast cases, so that a
// corpus that is not found never passes.
func (s Suite) Run(t *testing.T, pattern string, atLeast int) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			for _, o := range s.Check(data) {
				cases++
				t.Run(o.Case, func(t *testing.T) {
					if o.Err != nil {
						t.Error(o.Err)
					}
				})
			}
		})
	}
	if cases < atLeast {
		t.Errorf("%s holds %d cases, want at least %d", pattern, cases, atLeast)
	}
}

// Check runs all cases of one file.
func (s Suite) Check(data []byte) []Outcome {
	shared, cases, order, err := split(txtar.Parse(data))
	if err != nil {
		return []Outcome{{"file", err}}
	}
	if err := s.unknown(shared, cases); err != nil {
		return []Outcome{{"file", err}}
	}
	var out []Outcome
	for _, name := range order {
		sections := maps.Clone(shared)
		own := cases[name]
		maps.Copy(sections, own)
		sections["config"] = shared["config"] + "\n" + own["config"]
		out = append(out, Outcome{name, s.check(sections)})
	}
	if len(out) == 0 {
		out = append(out, Outcome{"file", errors.New("no case: no section is named sentence/expect")})
	}
	return out
}

// split sorts the sections of a file into those for all and those by case.
func split(a *txtar.Archive) (shared map[string]string, cases map[string]map[string]string, order []string, err error) {
	shared, cases = map[string]string{}, map[string]map[string]string{}
	for _, f := range a.Files {
		sections, section := shared, f.Name
		if i := strings.LastIndexByte(f.Name, '/'); i >= 0 {
			name := f.Name[:i]
			section = f.Name[i+1:]
			if cases[name] == nil {
				cases[name] = map[string]string{}
				order = append(order, name)
			}
			sections = cases[name]
		}
		if _, twice := sections[section]; twice {
			return nil, nil, nil, fmt.Errorf("section %q twice", f.Name)
		}
		sections[section] = string(f.Data)
	}
	return shared, cases, order, nil
}

// check runs one case.
func (s Suite) check(sections map[string]string) error {
	if err := s.source(sections["source"]); err != nil {
		return err
	}
	q, err := parseConfig(sections["config"], s.Cloud)
	if err != nil {
		return err
	}
	p := s.policy(sections, q.Key.ID)
	q.Needs = s.Needs(q.Key, p, nil)
	j := s.Judge(p, q)
	if err := consistent(p, q, j); err != nil {
		return err
	}
	return expect(sections["expect"], j)
}

func (s Suite) source(text string) error {
	lines := strings.Fields(text)
	if len(lines) == 0 {
		return errors.New("no source")
	}
	for _, line := range lines {
		if !slices.ContainsFunc(s.Sources, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
			return fmt.Errorf("source %q is not documentation of this cloud", line)
		}
	}
	return nil
}

// policy assembles the documents, with <<name>> replaced by section name.
func (s Suite) policy(sections map[string]string, id string) core.Policy {
	var p core.Policy
	for _, section := range slices.Sorted(maps.Keys(s.Documents)) {
		doc := core.Document{Kind: s.Documents[section], ID: id}
		if other, ok := s.IDs[section]; ok {
			doc.ID = other
		}
		if why, ok := sections[section+".unreadable"]; ok {
			doc.Unreadable = strings.TrimSpace(why)
			p = append(p, doc)
			continue
		}
		text := sections[section]
		for {
			before, rest, open := strings.Cut(text, "<<")
			name, after, closed := strings.Cut(rest, ">>")
			if !open || !closed {
				break
			}
			text = before + strings.TrimSpace(sections[name]) + after
		}
		if strings.TrimSpace(text) != "" {
			doc.Text = strings.TrimSuffix(text, "\n")
			p = append(p, doc)
		}
	}
	return p
}

// unknown reports a section that nothing in the file uses.
func (s Suite) unknown(shared map[string]string, cases map[string]map[string]string) error {
	all := append(slices.Collect(maps.Values(cases)), shared)
	used := map[string]bool{"source": true, "config": true, "expect": true}
	for section := range s.Documents {
		used[section], used[section+".unreadable"] = true, true
		for _, sections := range all {
			for _, rest := range strings.Split(sections[section], "<<")[1:] {
				if name, _, closed := strings.Cut(rest, ">>"); closed {
					used[name] = true
				}
			}
		}
	}
	for _, sections := range all {
		for name := range sections {
			if !used[name] {
				return fmt.Errorf("unknown section %q", name)
			}
		}
	}
	return nil
}

// consistent checks what holds for every judgement, whatever is expected.
func consistent(p core.Policy, q core.Question, j core.Judgement) error {
	if len(j.Findings) != len(q.Needs) {
		return fmt.Errorf("%d findings for %d needs", len(j.Findings), len(q.Needs))
	}
	for i, f := range j.Findings {
		if f.Requirement != q.Needs[i] {
			return fmt.Errorf("finding %d answers %v, not %v", i, f.Requirement, q.Needs[i])
		}
		if f.Reason == "" {
			return fmt.Errorf("%s %s is %v without a reason", f.Principal, f.Permission, f.Result)
		}
		for _, e := range f.Evidence {
			if !slices.ContainsFunc(p, func(d core.Document) bool {
				return d.ID == e.Document && 0 <= e.Start && e.Start < e.End && e.End <= len(d.Text)
			}) {
				return fmt.Errorf("evidence %+v lies in no document", e)
			}
			if e.Clause == "" {
				return fmt.Errorf("evidence %+v has no digest", e)
			}
		}
	}
	return nil
}
