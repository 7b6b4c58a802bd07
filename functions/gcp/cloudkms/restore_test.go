package cloudkms_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcptest"
)

// TestARestoreThatTheJudgeAsksForGivesAccessBack plays judge, restore and
// adapter together: what is read can be judged, what is planned can be written,
// and the emulator, which knows neither, says that access is back.
func TestARestoreThatTheJudgeAsksForGivesAccessBack(t *testing.T) {
	for name, breaks := range map[string]func(*testing.T, *gcptest.Cloud){
		"the binding is removed":               func(t *testing.T, c *gcptest.Cloud) { put(t, c, key, bind("roles/cloudkms.viewer", admin)) },
		"the role is swapped for the viewer's": func(t *testing.T, c *gcptest.Cloud) { put(t, c, key, bind("roles/cloudkms.viewer", group)) },
		"the role is gutted":                   func(_ *testing.T, c *gcptest.Cloud) { c.AddRole(byok, "cloudkms.cryptoKeys.get") },
		"the role is deleted": func(t *testing.T, c *gcptest.Cloud) {
			if _, err := c.Clients("ADMIN").Roles.Projects.Roles.Delete(byok).Do(); err != nil {
				t.Fatal(err)
			}
		},
		"a condition is slipped on": func(t *testing.T, c *gcptest.Cloud) {
			put(t, c, key, strings.TrimSuffix(bind(byok, group), "}")+`,"condition":{"title":"t","expression":"request.time < timestamp(\"2020-01-01T00:00:00Z\")"}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
			put(t, c, key, bind(byok, group), bind("roles/cloudkms.viewer", "group:others@acme.example"))
			k := cloudkms.New(cloudkms.Clients(c.Clients("WATCHER")), cloudkms.Options{Self: self, Builtin: gcpkms.Builtin})
			asked := core.Question{Key: payments, Self: self, At: time.Now()}
			asked.Key.Mode = core.Enforce
			good, _ := look(t, k, asked, nil)
			breaks(t, c)
			if can(c) {
				t.Fatal("nothing is broken")
			}
			live, lost := look(t, k, asked, good)
			asked.Needs = gcpkms.Needs(asked.Key, live, good)
			list, err := gcpkms.Candidates(live, good, asked, lost)
			if err != nil || len(list) == 0 {
				t.Fatalf("%d candidates for %v, %v", len(list), lost, err)
			}
			if err := gcpkms.Guard(live, good, list[0], asked, false); err != nil {
				t.Fatal(err)
			}
			for _, s := range list[0].Steps {
				if err := k.Apply(t.Context(), asked.Key, s); err != nil {
					t.Fatal(err)
				}
			}
			if !can(c) {
				t.Errorf("access is not back: %s", c.Policy(key))
			}
			if _, lost := look(t, k, asked, good); len(lost) > 0 {
				t.Errorf("the judge still misses %v", lost)
			}
		})
	}
}

// look reads and judges; it returns what the group has not.
func look(t *testing.T, k *cloudkms.Keeper, q core.Question, good core.Policy) (core.Policy, []core.Requirement) {
	t.Helper()
	p, err := k.Read(t.Context(), q.Key)
	if err != nil {
		t.Fatal(err)
	}
	q.Needs = gcpkms.Needs(q.Key, p, good)
	j := gcpkms.Judge(p, q)
	var lost []core.Requirement
	for _, f := range j.Findings {
		switch {
		case f.Result == core.Undetermined, f.Aspect != core.Access && f.Result != core.Met:
			t.Errorf("%s %s is %v: %s", f.Principal, f.Permission, f.Result, f.Reason)
		case f.Result == core.Missing:
			lost = append(lost, f.Requirement)
		}
	}
	if good == nil && len(lost) > 0 || j.Writable != core.Met {
		t.Errorf("lost %v, writable %v", lost, j.Writable)
	}
	return p, lost
}

func can(c *gcptest.Cloud) bool {
	for _, p := range needed {
		if ok, _ := c.Can(group, p, key); !ok {
			return false
		}
	}
	return true
}
