package alert_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"byokwatch/core/alert"
)

// sections are the runbook's, by heading, but for those of the deployments' own
// alarms, which stand last and are held to the deployments.
func sections(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts, _, found := strings.Cut(string(data), "\n# The watchdog's own alarms\n")
	if !found {
		t.Error("docs/runbook.md says nothing of the watchdog's own alarms")
	}
	out := map[string]string{}
	for _, s := range strings.Split(alerts, "\n## ")[1:] {
		heading, body, _ := strings.Cut(s, "\n")
		if _, twice := out[heading]; twice {
			t.Errorf("two sections %q", heading)
		}
		out[heading] = body
	}
	return out
}

func TestEveryAlertHasItsSectionInTheRunbook(t *testing.T) {
	have := sections(t)
	known := []string{"Putting access back by hand", alert.Lookup("of no version").Runbook}
	for _, e := range alert.Catalogue {
		known = append(known, e.Runbook)
		if e.Runbook != string(e.Code) {
			t.Errorf("%s: the heading of its section is %q; a reader looks for the code", e.Code, e.Runbook)
		}
	}
	for _, name := range known[1:] {
		for _, part := range []string{"**Means.** ", "\n**byokwatch** ", "\n**Do now.** ", "\n**Ends** "} {
			if !strings.Contains(have[name], part) {
				t.Errorf("docs/runbook.md: section %q has no part %q", name, strings.TrimSpace(part))
			}
		}
	}
	for name := range have {
		if !slices.Contains(known, name) {
			t.Errorf("docs/runbook.md: section %q belongs to no alert", name)
		}
	}
}

func TestEveryCodeIsInTheCatalogueOnce(t *testing.T) {
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, m := range regexp.MustCompile(`(?m)^\s+\w+\s+Code = "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		declared = append(declared, m[1])
	}
	var listed []string
	for _, e := range alert.Catalogue {
		listed = append(listed, string(e.Code))
		if e.Mark == "" || len(e.Headlines) == 0 || len(e.Rows) == 0 || e.Class == "" {
			t.Errorf("%s: incomplete entry", e.Code)
		}
		if s, err := alert.ParseSeverity(string(e.Severity)); err != nil || s != e.Severity || e.Severity == "" {
			t.Errorf("%s: severity %q", e.Code, e.Severity)
		}
		if e.Class == alert.Page && e.Severity != alert.Critical {
			t.Errorf("%s pages but is not critical: a filter would swallow it", e.Code)
		}
	}
	slices.Sort(declared)
	slices.Sort(listed)
	if !slices.Equal(declared, listed) {
		t.Errorf("declared %q\nlisted   %q", declared, listed)
	}
}

// A command that an alert or the runbook names must exist: nothing is worse at
// three in the morning.
func TestOnlyCommandsThatExistAreNamed(t *testing.T) {
	commands := []string{
		"check", "snapshot show", "snapshot list", "snapshot accept", "history", "diff", "hold", "release", "revoke", "reinstate",
		"sweep", "config check", "config schema",
	}
	called := regexp.MustCompile("(?:`|^|\n\\s*)byokwatch ([a-z]+(?: [a-z]+)?)")
	check := func(where, text string) {
		for _, m := range called.FindAllStringSubmatch(text, -1) {
			word, _, _ := strings.Cut(m[1], " ")
			if !slices.Contains(commands, m[1]) && !slices.Contains(commands, word) {
				t.Errorf("%s names the command byokwatch %s", where, m[1])
			}
		}
	}
	named := 0
	for _, e := range alert.Catalogue {
		for _, sentences := range [][]string{e.Headlines, e.Done, e.Unknown, e.Do, e.Meant} {
			for _, s := range sentences {
				if strings.Contains(s, "`byokwatch ") {
					named++
				}
				// Only what is marked as a command, not the subject of a sentence.
				if strings.Contains(s, "`") {
					check(string(e.Code), s[strings.Index(s, "`"):])
				}
			}
		}
	}
	if named == 0 {
		t.Error("no sentence names a command: the test looks in the wrong place")
	}
	for name, body := range sections(t) {
		check("docs/runbook.md#"+name, body)
	}
}
