package alert_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core/alert"
	"byokwatch/core/alert/alerttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestEveryAlertReadsAsItsGoldenFile(t *testing.T) {
	for _, e := range alert.Catalogue {
		t.Run(string(e.Code), func(t *testing.T) {
			got := "== with every fact ==\n" + alert.Render(alerttest.Full(e.Code)).Text() +
				"\n== with hardly any fact ==\n" + alert.Render(alerttest.Bare(e.Code)).Text()
			name := filepath.Join("testdata", "golden", string(e.Code)+".txt")
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("rendering changed; if that is meant, run with -update (-want +got):\n%s", d)
			}
		})
	}
}

func TestNoGoldenFileIsLeftOver(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, f := range files {
		code := alert.Code(strings.TrimSuffix(filepath.Base(f), ".txt"))
		if e := alert.Lookup(code); e.Runbook == "unknown-alert" {
			t.Errorf("%s belongs to no alert", f)
		}
	}
}

// What must hold for every message, whatever the code and however little is known.
func TestEveryMessageIsComplete(t *testing.T) {
	unfilled := regexp.MustCompile(`\{[a-zA-Z]+\}`)
	for _, e := range alert.Catalogue {
		for name, a := range map[string]alert.Alert{
			"full": alerttest.Full(e.Code), "bare": alerttest.Bare(e.Code), "empty": {Code: e.Code},
		} {
			t.Run(string(e.Code)+"/"+name, func(t *testing.T) {
				m := alert.Render(a)
				if n := utf8.RuneCountInString(m.Title); n > alert.MaxTitle {
					t.Errorf("title of %d characters: %s", n, m.Title)
				}
				if strings.HasSuffix(m.Title, "…") || !strings.HasPrefix(m.Title, e.Mark) {
					t.Errorf("title is cut or lacks its mark: %s", m.Title)
				}
				if strings.Count(m.Title, " · ") == 0 {
					t.Errorf("title has no headline: %s", m.Title)
				}
				text := m.Text()
				for _, bad := range []string{"0001", "1970", "%!", "<nil>", "`", "\t"} {
					if strings.Contains(text, bad) {
						t.Errorf("%q in\n%s", bad, text)
					}
				}
				if u := unfilled.FindString(text); u != "" {
					t.Errorf("placeholder %s was not filled in\n%s", u, text)
				}
				if e.Class == alert.Page && !hasRow(m, "Do") {
					t.Errorf("a page must say what to do now:\n%s", text)
				}
			})
		}
	}
}

func hasRow(m alert.Message, label string) bool {
	for _, r := range m.Rows {
		if r.Label == label && len(r.Lines) > 0 {
			return true
		}
	}
	return false
}

func TestFactsShapeTheMessage(t *testing.T) {
	const label = "payments"
	for name, c := range map[string]struct {
		code alert.Code
		edit func(*alert.Alert)
		want []string
		not  []string
	}{
		"a total loss is one phrase, not ten lines": {
			alert.Restored, nil,
			[]string{"all 10 permissions of cc-kafka-d45e…", "was without this key for 44 s", "AWS us-west-2"},
			[]string{"kms:ListGrants"},
		},
		"a partial loss names the permissions": {
			alert.NotRecovered, nil,
			[]string{"kms:Decrypt, kms:ReEncryptFrom of cc-kafka-d45e…", "lost 2 of 10 permissions"}, nil,
		},
		"without a suspect it says so": {
			alert.Restored, func(a *alert.Alert) { a.Facts.Who = nil },
			[]string{"Who        not yet known"}, []string{"according to the event"},
		},
		"a loss before midnight carries its date": {
			alert.Restored, func(a *alert.Alert) { a.Facts.Who.At = a.At.AddDate(0, 0, -1) },
			[]string{"13 Aug 03:02:56 UTC"}, nil,
		},
		"clocks that disagree give no negative duration": {
			alert.Restored, func(a *alert.Alert) { a.Facts.LostAt = a.Facts.Restored.Add(3e9) },
			[]string{"Confluent has this key back"}, []string{"-3 s", "was without"},
		},
		"a reminder says which one it is": {
			alert.LockedOut, func(a *alert.Alert) { a.Repeat = 3 }, []string{"🔴 ACT NOW (reminder 3) ·"}, nil,
		},
		"what may have arrived already is marked": {
			alert.Restored, func(a *alert.Alert) { a.Again = true }, []string{"· may be a repeat\n"}, nil,
		},
		"a label with shell characters never enters a command": {
			alert.Restored, func(a *alert.Alert) { a.Facts.Key.Label = "pay$(reboot)" },
			[]string{"byokwatch revoke arn:aws:kms:"}, []string{"revoke pay"},
		},
		"a label that looks like an option never enters a command": {
			alert.Restored, func(a *alert.Alert) { a.Facts.Key.Label = "--help" }, nil, []string{"revoke --help"},
		},
		"a command with a hidden character is left out, not altered": {
			alert.KeyDisabled, func(a *alert.Alert) { a.Facts.Commands = []string{"aws kms\u202e enable-key"} },
			[]string{"a command that holds characters not safe to paste"}, []string{"enable-key"},
		},
		"a whole snapshot heads with what else came back": {
			alert.Restored, func(a *alert.Alert) { a.Facts.Candidate = "snapshot" },
			[]string{"\nChanged    admits: ", "the whole last-known-good policy"}, nil,
		},
		"an unknown candidate's name is not repeated": {
			alert.Restored, func(a *alert.Alert) { a.Facts.Candidate = "evil" }, []string{"given back"}, []string{"evil"},
		},
		"a digest that is none never enters a command": {
			alert.NeedsAcceptance, func(a *alert.Alert) { a.Facts.To = "sha256:; reboot" }, nil, []string{"reboot", "--digest"},
		},
		"two principals that would read the same are shown whole": {
			alert.Restored, func(a *alert.Alert) {
				other := a.Facts.Lost[0]
				other.Principal += "2"
				a.Facts.Lost = append(a.Facts.Lost, other)
			},
			[]string{"028e28f108bd2"}, nil,
		},
		"a hold, not the mode, is why nothing was done": {
			alert.Observed, func(a *alert.Alert) { a.Facts.By = "jane" }, []string{"nothing: a hold stands; without it"}, []string{"mode observe"},
		},
		"our own lost right is named": {alert.RightsGone, nil, []string{"Our rights kms:PutKeyPolicy of byokwatch"}, nil},
		"a changed Deny comes before wording": {
			alert.Widened, nil, []string{"Changed    loses deny: "}, nil,
		},
		"a code of a newer version is still an alert": {
			"quantum-collapse", nil, []string{"🔴 UNKNOWN ALERT · " + label, "gh-run-8812"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := alerttest.Full(c.code)
			if c.edit != nil {
				c.edit(&a)
			}
			text := alert.Render(a).Text()
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("missing %q in\n%s", w, text)
				}
			}
			for _, w := range c.not {
				if strings.Contains(text, w) {
					t.Errorf("must not hold %q:\n%s", w, text)
				}
			}
		})
	}
}
