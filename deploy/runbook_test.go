package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// alarmNames reads what the alarms of each cloud are called: on AWS from what is
// synthesised, elsewhere from the modules themselves.
func alarmNames(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{}
	for _, golden := range []string{"enforce.json", "forward-iam.json"} {
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties struct{ AlarmName string }
			}
		}
		if err := json.Unmarshal([]byte(text(t, "aws/testdata/"+golden)), &template); err != nil {
			t.Fatal(err)
		}
		for _, r := range template.Resources {
			if r.Type == "AWS::CloudWatch::Alarm" {
				names["aws"] = append(names["aws"], r.Properties.AlarmName)
			}
		}
	}
	find := func(cloud, file, pattern string) {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(text(t, file), -1)
		if len(found) == 0 {
			t.Fatalf("%s: no alarm found by %s", file, pattern)
		}
		for _, m := range found {
			names[cloud] = append(names[cloud], m[1])
		}
	}
	find("gcp", "gcp/alerts.tf", `(?m)^\s+title\s+= "([^"]+)"`)
	find("gcp", "gcp/alerts.tf", `display_name\s+= "byokwatch: ([a-z][^"$]+)"`)
	find("gcp", "gcp/tamper.tf", `(?m)^\s+"([a-z ]+)"\s+= local\.`)
	alarms := regexp.MustCompile(`(?s)\n  alarms = \{.*?\n  \}`).FindString(text(t, "azure/alarms.tf"))
	for _, m := range regexp.MustCompile(`(?m)^    ([a-z-]+) = \{`).FindAllStringSubmatch(alarms, -1) {
		names["azure"] = append(names["azure"], m[1])
	}
	tampering := regexp.MustCompile(`(?s)\n  tampering = \{.*?\n  \}`).FindString(text(t, "azure/alarms.tf"))
	for _, m := range regexp.MustCompile(`(?m)^    ([a-z-]+) = \{`).FindAllStringSubmatch(tampering, -1) {
		names["azure"] = append(names["azure"], "tampering-"+m[1])
	}
	find("azure", "azure/subscription/alarms.tf", `(?m)^    ([a-z-]+)\s+= (?:\{ metric|"Microsoft)`)
	return names
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestAlarmsAreWhereTheyAreLookedFor: alarmNames reads these resources, and a
// further one must be added there.
func TestAlarmsAreWhereTheyAreLookedFor(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^resource "(?:google_monitoring_alert_policy|azurerm_monitor_\w*alert\w*)" "(\w+)"`)
	for pattern, want := range map[string][]string{
		"gcp/*.tf":                {"audit", "errors", "query", "sink", "threshold"},
		"azure/*.tf":              {"tampering", "this"},
		"azure/subscription/*.tf": {"delivery", "loss"},
	} {
		files, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, file := range files {
			for _, m := range declared.FindAllStringSubmatch(text(t, file), -1) {
				got = append(got, m[1])
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s declares the alarms %q, but %q are read", pattern, got, want)
		}
	}
}

// unexplained are the alarms that a runbook does not name: those of AWS by a
// heading, the others beside one.
func unexplained(runbook string, names map[string][]string) []string {
	_, own, _ := strings.Cut(runbook, "\n# The watchdog's own alarms\n")
	var out []string
	for cloud, list := range names {
		for _, name := range list {
			where := "`" + name + "`"
			if cloud == "aws" {
				where = "\n## " + name + "\n"
			}
			if !strings.Contains(own, where) {
				out = append(out, cloud+": "+name)
			}
		}
	}
	return out
}

// TestEachAlarmIsInTheRunbook: whoever is woken by one finds what to do.
func TestEachAlarmIsInTheRunbook(t *testing.T) {
	names := alarmNames(t)
	for cloud, least := range map[string]int{"aws": 14, "gcp": 10, "azure": 13} {
		if len(names[cloud]) < least {
			t.Errorf("%s: only %q were found", cloud, names[cloud])
		}
	}
	runbook := text(t, "../docs/runbook.md")
	for _, name := range unexplained(runbook, names) {
		t.Errorf("docs/runbook.md does not explain the alarm of %s", name)
	}
	_, own, _ := strings.Cut(runbook, "\n# The watchdog's own alarms\n")
	for _, section := range strings.Split(own, "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		if !slices.Contains(names["aws"], heading) && !strings.Contains(body, "Google Cloud: `") {
			t.Errorf("docs/runbook.md: section %q is about no alarm", heading)
		}
		for _, part := range []string{"**Means.** ", "\n**Do now.** ", "\n**Ends** "} {
			if !strings.Contains(body, part) {
				t.Errorf("docs/runbook.md: section %q has no part %q", heading, strings.TrimSpace(part))
			}
		}
	}
	for cloud, list := range names {
		for _, name := range list {
			if len(unexplained(strings.ReplaceAll(runbook, name, "x"), map[string][]string{cloud: {name}})) == 0 {
				t.Errorf("%s: nothing misses %s", cloud, name)
			}
		}
	}
}
