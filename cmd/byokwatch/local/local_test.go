package local

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// buildFunction makes a function's binary as the platform runs it.
func buildFunction(t *testing.T, pkg string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bootstrap")
	out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", name, pkg).CombinedOutput()
	if err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return name
}

func TestEveryScenarioEndsAsItMust(t *testing.T) {
	bootstrap := buildFunction(t, "byokwatch/functions/aws")
	for _, store := range []string{"dir", "s3"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var out bytes.Buffer
			if err := Play(t.Context(), Options{Bootstrap: bootstrap, Scenario: "all", Store: store, Dir: dir, Out: &out}); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			text := out.String()
			for _, s := range scenarios() {
				_, part, _ := strings.Cut(text, "Scenario "+s.name+":")
				part, _, _ = strings.Cut(part, "Scenario ")
				want := "is still refused, and byokwatch has written nothing"
				if s.back {
					want = "has all 10 permissions again"
				}
				if !strings.Contains(part, want) {
					t.Errorf("%s: the timeline does not say %q:\n%s", s.name, want, part)
				}
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A stack that says "given back" whatever happens would be worth nothing.
func TestAFunctionThatDoesNothingFails(t *testing.T) {
	t.Parallel()
	bootstrap := buildFunction(t, "byokwatch/functions/aws/testdata/empty")
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := Play(ctx, Options{Bootstrap: bootstrap, Scenario: "removed", Store: "dir", Dir: t.TempDir(), Out: &out})
	if err == nil || strings.Contains(out.String(), "again") {
		t.Errorf("error %v\n%s", err, out.String())
	}
}

func TestAFunctionThatDoesNotStartFails(t *testing.T) {
	t.Parallel()
	no, err := exec.LookPath("false")
	if err != nil {
		t.Skip("there is no program that fails")
	}
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = Play(ctx, Options{Bootstrap: no, Scenario: "removed", Store: "dir", Dir: t.TempDir(), Out: &out})
	if err == nil || !strings.Contains(err.Error(), "did not start") {
		t.Errorf("error %v\n%s", err, out.String())
	}
}

// What a scenario must end with is checked even where the function did its best:
// here it gives back what the scenario says must stay away, and the other way
// round.
func TestAnEndThatNobodyWantsFails(t *testing.T) {
	t.Parallel()
	bootstrap := buildFunction(t, "byokwatch/functions/aws")
	for _, s := range scenarios() {
		if s.name != "removed" && s.name != "observe" {
			continue
		}
		s.back = !s.back
		var out bytes.Buffer
		o := Options{Bootstrap: bootstrap, Store: "dir", Dir: t.TempDir(), Out: &out}
		if err := play(t.Context(), o, s); err == nil {
			t.Errorf("%s: no error\n%s", s.name, out.String())
		}
	}
}

func TestTheTimelineIsInOrder(t *testing.T) {
	at := time.Date(2026, 3, 2, 3, 2, 11, 0, time.UTC)
	var out bytes.Buffer
	line := newTimeline(&out, func() time.Time { return at })
	line.add(at.Add(44*time.Millisecond), "byokwatch", "later")
	line.add(time.Time{}, "terraform-ci", "now\nand more")
	line.flush()
	want := "03:02:11.000      +0 ms  terraform-ci  now\n             | and more\n03:02:11.044     +44 ms  byokwatch     later\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTheManualListsEveryScenario(t *testing.T) {
	data, err := os.ReadFile("../../../docs/local-stack.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		if !strings.Contains(string(data), "| `"+name+"` |") {
			t.Errorf("docs/local-stack.md has no row for %s", name)
		}
	}
}
