package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
)

func TestEveryScenarioEndsAsItMust(t *testing.T) {
	t.Parallel()
	all := functions(t)
	permissions := map[core.Cloud]int{core.AWS: 10, core.Azure: 4, core.GCP: 3}
	for name, c := range map[string]struct {
		store  string
		clouds []core.Cloud
	}{
		"on all clouds": {"dir", Clouds()},
		"records in S3": {"s3", []core.Cloud{core.AWS}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var out bytes.Buffer
			o := Options{Functions: map[core.Cloud]string{}, Scenario: "all", Store: c.store, Dir: dir, Out: &out}
			for _, cloud := range c.clouds {
				o.Functions[cloud] = all[cloud]
			}
			if err := Play(t.Context(), o); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			for _, cloud := range c.clouds {
				for _, s := range scenariosOf(cloud) {
					_, part, _ := strings.Cut(out.String(), fmt.Sprintf("%s, scenario %s:", title(cloud), s.name))
					part, _, _ = strings.Cut(part, ", scenario ")
					want := "is still refused, and byokwatch has written nothing"
					if s.mends != nil {
						want = "again, and byokwatch has written nothing: nothing was to be done"
					} else if s.back {
						want = fmt.Sprintf("has all %d permissions again", permissions[cloud])
					}
					if !strings.Contains(part, want) {
						t.Errorf("%s, %s: the timeline does not say %q:\n%s", cloud, s.name, want, part)
					}
				}
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// idle is a service that takes every event and does nothing.
const idle = `package main

import (
	"net/http"
	"os"
)

func main() {
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}
`

// A stack that says "given back" whatever happens would be worth nothing.
func TestAFunctionThatDoesNothingFails(t *testing.T) {
	t.Parallel()
	source := filepath.Join(t.TempDir(), "idle.go")
	if err := os.WriteFile(source, []byte(idle), 0o600); err != nil {
		t.Fatal(err)
	}
	for cloud, binary := range map[core.Cloud]string{
		core.AWS:   buildFunction(t, "byokwatch/functions/aws/testdata/empty"),
		core.Azure: buildFunction(t, "byokwatch/functions/azure/testdata/empty"),
		core.GCP:   buildFunction(t, source),
	} {
		if err := furnish(binary); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := Play(ctx, Options{Functions: map[core.Cloud]string{cloud: binary}, Scenario: "removed", Store: "dir", Dir: t.TempDir(), Out: &out})
		cancel()
		if err == nil || strings.Contains(out.String(), "again") {
			t.Errorf("%s: error %v\n%s", cloud, err, out.String())
		}
	}
}

func TestAFunctionThatDoesNotStartFails(t *testing.T) {
	t.Parallel()
	no, err := exec.LookPath("false")
	if err != nil {
		t.Skip("there is no program that fails")
	}
	binary := filepath.Join(t.TempDir(), "function")
	if err := errors.Join(os.Symlink(no, binary), furnish(binary)); err != nil {
		t.Fatal(err)
	}
	for _, cloud := range Clouds() {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err = Play(ctx, Options{Functions: map[core.Cloud]string{cloud: binary}, Scenario: "removed", Store: "dir", Dir: t.TempDir(), Out: &out})
		cancel()
		if err == nil || !strings.Contains(err.Error()+out.String(), "did not start") {
			t.Errorf("%s: error %v\n%s", cloud, err, out.String())
		}
	}
}

// What a scenario must end with is checked even where the function did its best:
// here it gives back what the scenario says must stay away, and the other way
// round.
func TestAnEndThatNobodyWantsFails(t *testing.T) {
	t.Parallel()
	all := functions(t)
	for _, cloud := range Clouds() {
		for _, s := range scenariosOf(cloud) {
			if s.waits || s.name != "removed" && s.name != "access-policy" && s.name != "observe" {
				continue
			}
			s.cloud, s.back = cloud, !s.back
			var out bytes.Buffer
			o := Options{Functions: all, Store: "dir", Dir: t.TempDir(), Out: &out}
			if err := play(t.Context(), o, s); err == nil {
				t.Errorf("%s, %s: no error\n%s", cloud, s.name, out.String())
			}
		}
	}
}

func TestStoriesSideBySideAreToldOneAfterTheOther(t *testing.T) {
	var out bytes.Buffer
	r := newRelay(&out, 3)
	say := func(leg int, what, want string) {
		t.Helper()
		if what == "end" {
			_ = r.legs[leg].end() // a buffer takes everything
		} else if n, err := r.legs[leg].Write([]byte(what)); n != len(what) || err != nil {
			t.Errorf("wrote %d of %q: %v", n, what, err)
		}
		if out.String() != want {
			t.Errorf("after %d says %s: %q, want %q", leg, what, out.String(), want)
		}
	}
	say(1, "b", "")
	say(0, "a", "a")
	say(2, "c", "a")
	say(2, "end", "a")
	say(0, "A", "aA")
	say(0, "end", "aAb")
	say(1, "B", "aAbB")
	say(1, "end", "aAbBc")
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
	for _, cloud := range Clouds() {
		_, text, found := strings.Cut(string(data), "\n### "+title(cloud)+"\n")
		if !found {
			t.Fatalf("docs/local-stack.md has no heading for the scenarios of %s", title(cloud))
		}
		text, _, _ = strings.Cut(text, "\n#")
		for _, name := range Names(cloud) {
			if !strings.Contains(text, "| `"+name+"` |") {
				t.Errorf("docs/local-stack.md has no row for %s on %s", name, cloud)
			}
		}
	}
}
