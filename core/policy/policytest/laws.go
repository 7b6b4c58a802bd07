package policytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"byokwatch/core"
)

// Texts are the documents of a corpus, each once, by the end of their section's
// name: seeds for fuzzing.
func Texts(tb testing.TB, section string) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no corpus: %v", err)
	}
	var out []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, s := range txtar.Parse(data).Files {
			if text := strings.TrimSpace(string(s.Data)); s.Name[strings.LastIndexByte(s.Name, '/')+1:] == section && text != "" && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// TurnedRound is a JSON text with every list in it reversed, which means the
// same in every policy.
func TurnedRound(tb testing.TB, text string) string {
	tb.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		tb.Fatal(err)
	}
	out, err := json.Marshal(reversed(v))
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

func reversed(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = reversed(v[i])
		}
		slices.Reverse(v)
	case map[string]any:
		for k := range v {
			v[k] = reversed(v[k])
		}
	}
	return v
}

// Clauses are what decided a finding, sorted.
func Clauses(f core.Finding) []core.Digest {
	var out []core.Digest
	for _, e := range f.Evidence {
		out = append(out, e.Clause)
	}
	slices.Sort(out)
	return out
}

// WantUnread checks the judgement of what does not parse: nothing about access is
// decided.
func WantUnread(tb testing.TB, j core.Judgement) {
	tb.Helper()
	if j.Digest != "" || slices.ContainsFunc(j.Findings, func(f core.Finding) bool { return f.Aspect != core.Property && f.Result != core.Undetermined }) {
		tb.Fatalf("judged what does not parse: %+v", j)
	}
}

// WantSame checks that a change that means nothing changes nothing: neither
// results nor digest nor what makes a result open.
func WantSame(tb testing.TB, what string, before, after core.Judgement) {
	tb.Helper()
	if after.Digest != before.Digest || after.Writable != before.Writable || after.Marker != before.Marker || !after.Expires.Equal(before.Expires) {
		tb.Fatalf("%s: %+v, before %+v", what, after, before)
	}
	for i, f := range after.Findings {
		b := before.Findings[i]
		if f.Result != b.Result || f.Result == core.Undetermined && !slices.Equal(Clauses(f), Clauses(b)) {
			tb.Fatalf("%s, %s %s is %v by %v, was %v by %v", what, f.Principal, f.Permission, f.Result, Clauses(f), b.Result, Clauses(b))
		}
	}
}

// WantNoGain checks that one more denial parses and makes nothing Met that was
// not, nor opens what was Missing.
func WantNoGain(tb testing.TB, denial string, before, after core.Judgement) {
	tb.Helper()
	if after.Digest == "" {
		tb.Fatalf("%s can't be added", denial)
	}
	for i, f := range after.Findings {
		was := before.Findings[i].Result
		if f.Result == core.Met && was != core.Met || f.Result == core.Undetermined && was == core.Missing {
			tb.Fatalf("%s %s was %v and is %v with %s", f.Principal, f.Permission, was, f.Result, denial)
		}
	}
}
