package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "google.golang.org/api/cloudkms/v1"
	crm "google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/gcp/gcptest"
)

func (s *story) updateRole(mask string, r *iam.Role) {
	s.Helper()
	_, err := s.admin.Roles.Projects.Roles.Patch(byok, r).UpdateMask(mask).Do()
	must(s, err)
	s.deliver()
}

func (s *story) setState(version int, state string) {
	s.Helper()
	name := fmt.Sprintf("%s/cryptoKeyVersions/%d", payments, version)
	_, err := s.admin.KMS.Projects.Locations.KeyRings.CryptoKeys.CryptoKeyVersions.Patch(name, &sdk.CryptoKeyVersion{State: state}).UpdateMask("state").Do()
	must(s, err)
	s.deliver()
}

func TestAccessComesBackHoweverItWasTaken(t *testing.T) {
	swap := func(role string) string { return allow(append(slices.Clone(ours), bind(role, group))...) }
	for name, edit := range map[string]string{
		"the binding removed":                   wiped,
		"the whole policy wiped":                allow(),
		"the binding removed, another added":    allow(append(slices.Clone(ours), bind("roles/cloudkms.viewer", "user:somebody@acme.example"))...),
		"the role swapped for viewer":           swap("roles/cloudkms.viewer"),
		"the role swapped for encrypter":        swap("roles/cloudkms.cryptoKeyEncrypter"),
		"the member swapped for somebody else":  allow(append(slices.Clone(ours), bind(byok, "user:somebody@acme.example"))...),
		"a condition that is long over":         allow(append(slices.Clone(ours), until(gives, "1999-01-01T00:00:00Z"))...),
		"Confluent among others, then left out": allow(bind(byok, auditor), ours[0]),
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, armed, func(s *story) {
				s.put(edit)
				s.wantAccess(true)
				s.wantOurs(1)
				s.wantTheirs()
				s.passes(time.Hour)
				s.wantOurs(1)
				s.wantSnapshot()
				s.wantRecovered()
				who := s.chat.Told(alert.Restored).Facts.Who
				if who == nil || who.Actor.ID != "admin@acme.example" || !strings.HasPrefix(who.Actor.Agent, "Terraform/") {
					t.Errorf("named %+v", who)
				}
			})
		})
	}
}

func TestPredefinedRolesStandInForADeadCustomRole(t *testing.T) {
	for name, kill := range map[string]func(s *story){
		"gutted": func(s *story) {
			s.updateRole("includedPermissions", &iam.Role{IncludedPermissions: []string{"cloudkms.cryptoKeys.get"}})
		},
		"disabled": func(s *story) { s.updateRole("stage", &iam.Role{Stage: "DISABLED"}) },
		"deleted": func(s *story) {
			_, err := s.admin.Roles.Projects.Roles.Delete(byok).Do()
			must(s, err)
			s.deliver()
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, armed, func(s *story) {
				policy := s.cloud.Policy(payments)
				kill(s)
				s.wantAccess(true)
				s.wantOurs(1)
				s.wantTheirs()
				if now := s.cloud.Policy(payments); now == policy || !strings.Contains(now, "roles/cloudkms.cryptoKeyEncrypterDecrypter") {
					t.Errorf("policy\n%s", now)
				}
				if !strings.Contains(s.commands(), "gcloud iam roles") {
					t.Errorf("no command repairs the role: %q; told %q", s.commands(), s.chat.Codes())
				}
				s.passes(time.Hour)
				s.wantOurs(1)
				s.wantSnapshot()
				s.wantRecovered()
			})
		})
	}
}

// What is taken far above the key is given back on the key, the only place that
// the watchdog may write.
func TestAccessThatComesFromTheProject(t *testing.T) {
	above := []string{bind("roles/owner", admin), bind(project+"/roles/byokwatch", watcher)}
	tellOf(t, func(c *gcptest.Cloud) error { return c.SetPolicy(project, allow(append(above, gives)...)) }, func(s *story) {
		s.wantAccess(true)
		var p crm.Policy
		must(s, json.Unmarshal([]byte(allow(above...)), &p))
		_, err := s.admin.Projects.Projects.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: &p}).Do()
		must(s, err)
		s.wantAccess(false)
		s.deliver()
		s.wantAccess(true)
		s.wantOurs(1)
		s.wantTheirs()
		s.passes(time.Hour)
		s.wantOurs(1)
		s.wantSnapshot()
	})
}

func TestConfluentsGroupIsDeleted(t *testing.T) {
	tell(t, armed, func(s *story) {
		s.cloud.Delete(group)
		s.tick()
		s.wantOurs(0)
		if s.chat.Told(alert.CannotRestore).Code == "" && s.chat.Told(alert.LockedOut).Code == "" {
			t.Errorf("told %q", s.chat.Codes())
		}
		s.cloud.Recover(group)
		s.passes(45 * time.Minute)
		s.wantAccess(true)
		s.wantOurs(0)
		s.wantSnapshot()
	})
}

func TestAConditionThatEnds(t *testing.T) {
	tell(t, armed, func(s *story) {
		end := time.Now().Add(3 * time.Hour).UTC().Format(time.RFC3339)
		s.put(allow(append(slices.Clone(ours), until(gives, end))...))
		s.tick()
		s.wantTold(alert.Expiring, alert.NeedsAcceptance)
		s.wantOurs(0)
		s.chat.Forget()
		s.passes(2 * time.Hour)
		s.wantOurs(0)
		s.passes(2 * time.Hour)
		// The snapshot is the undated one: an expiring policy is never promoted
		// by itself. So at its end a sweep, which no event announces, gives back.
		s.wantAccess(true)
		s.wantOurs(1)
		s.wantTheirs()
		if s.chat.Told(alert.Restored).Code == "" {
			t.Errorf("told %q", s.chat.Codes())
		}
		s.wantSnapshot()
	})
}

// Where a person accepted the dated policy, nothing undated is known to have been
// there: its end is told, and nothing is written.
func TestAnAcceptedConditionThatEnds(t *testing.T) {
	tell(t, armed, func(s *story) {
		end := time.Now().Add(3 * time.Hour).UTC().Format(time.RFC3339)
		s.put(allow(append(slices.Clone(ours), until(gives, end))...))
		w, err := s.function().Ready(s.Context())
		must(s, err)
		_, p, err := w.Dog.Preview(s.Context(), s.key)
		must(s, err)
		must(s, s.store.Request(s.Context(), s.key, record.Accept{Digest: p.Judgement.Digest, By: "jane"}))
		s.passes(30 * time.Minute)
		s.chat.Forget()
		s.passes(4 * time.Hour)
		s.wantOurs(0)
		s.wantAccess(false)
		if len(s.chat.Got()) == 0 || !slices.ContainsFunc(s.chat.Codes(), func(c alert.Code) bool { return alert.Lookup(c).Severity == alert.Critical }) {
			t.Errorf("told %q", s.chat.Codes())
		}
	})
}

// A process that has never seen the custom role bound meets it emptied and
// unbound at once.
func TestARoleIsGuttedAndItsBindingRemoved(t *testing.T) {
	tell(t, armed, func(s *story) {
		_, err := s.admin.Roles.Projects.Roles.Patch(byok, &iam.Role{IncludedPermissions: []string{"cloudkms.cryptoKeys.get"}}).UpdateMask("includedPermissions").Do()
		must(s, err)
		s.restart()
		s.put(wiped)
		s.wantAccess(true)
		s.wantTheirs()
		s.passes(time.Hour)
		s.wantSnapshot()
		if n := s.ours(); n > 2 {
			t.Errorf("the watchdog wrote %d policies", n)
		}
	})
}

// One event far above is a look at every key below, each given back once.
func TestAnEventOnTheProjectReachesEachKeyOnce(t *testing.T) {
	above := []string{bind("roles/owner", admin), bind(project+"/roles/byokwatch", watcher)}
	const orders = ring + "/cryptoKeys/orders"
	arm := func(c *gcptest.Cloud) error { return c.SetPolicy(project, allow(append(above, gives)...)) }
	tellOf(t, arm, func(s *story) {
		s.cloud.AddKey(orders, 1)
		s.more = []core.Key{s.key}
		s.more[0].ID, s.more[0].Label = orders, "orders"
		s.tick()
		s.chat.Forget()
		var p crm.Policy
		must(s, json.Unmarshal([]byte(allow(above...)), &p))
		_, err := s.admin.Projects.Projects.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: &p}).Do()
		must(s, err)
		s.deliver()
		s.wantAccess(true)
		for _, permission := range confluentNeeds {
			if can, why := s.cloud.Can(group, permission, orders); !can {
				t.Errorf("%s on %s: %s", permission, orders, why)
			}
		}
		s.wantOurs(1)
		if n := len(s.cloud.Writes(orders)); n != 1 {
			t.Errorf("%d writes to the second key", n)
		}
		if n := strings.Count(fmt.Sprint(s.chat.Codes()), "restored"); n != 2 {
			t.Errorf("told %q", s.chat.Codes())
		}
	})
}

// A deny policy is an administrator's to change: it is told with the commands.
// One that names nobody but Confluent is asked about first.
func TestADenyPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		who   string
		first alert.Code
	}{
		"of everybody":            {"principalSet://goog/public:all", alert.CannotRestore},
		"of nobody but Confluent": {"principalSet://goog/group/cck-12345@confluent.io", alert.OnlyConfluent},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, armed, func(s *story) {
				parent := "policies/cloudresourcemanager.googleapis.com%2Fprojects%2Facme-prod/denypolicies"
				_, err := s.admin.Deny.Policies.CreatePolicy(parent, &iamv2.GoogleIamV2Policy{DisplayName: "no outsiders", Rules: []*iamv2.GoogleIamV2PolicyRule{{
					DenyRule: &iamv2.GoogleIamV2DenyRule{DeniedPrincipals: []string{test.who}, DeniedPermissions: []string{"cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt"}},
				}}}).PolicyId("no-outsiders").Do()
				must(s, err)
				s.deliver()
				s.wantTold(test.first)
				s.passes(35 * time.Minute)
				if a := s.chat.Told(alert.CannotRestore); !strings.Contains(strings.Join(a.Facts.Commands, "\n"), "gcloud iam policies update no-outsiders") {
					t.Errorf("told %q, commands %q", s.chat.Codes(), a.Facts.Commands)
				}
				s.wantOurs(0)
				s.wantSnapshot()
				_, err = s.admin.Deny.Policies.Delete(parent + "/no-outsiders").Do()
				must(s, err)
				s.passes(45 * time.Minute)
				s.wantAccess(true)
				if last := s.chat.Codes()[len(s.chat.Codes())-1]; last != alert.Recovered {
					t.Errorf("told %q", s.chat.Codes())
				}
			})
		})
	}
}

func TestAVersionIsDisabled(t *testing.T) {
	t.Run("and pages until it is enabled", func(t *testing.T) {
		tell(t, armed, func(s *story) {
			s.setState(1, "DISABLED")
			if len(s.chat.Got()) != 1 || alert.Lookup(s.chat.Got()[0].Code).Class != alert.Page {
				t.Errorf("told %q", s.chat.Codes())
			}
			if !strings.Contains(s.commands(), "gcloud kms keys versions enable 1") {
				t.Errorf("commands %q", s.commands())
			}
			if who := s.chat.Got()[0].Facts.Who; who == nil || who.Actor.ID != "admin@acme.example" {
				t.Errorf("named %+v", who)
			}
			if got := s.cloud.State(payments + "/cryptoKeyVersions/1"); got != gcptest.Disabled {
				t.Errorf("%s, without being asked", got)
			}
			s.setState(1, "ENABLED")
			s.passes(45 * time.Minute)
			if last := s.chat.Codes()[len(s.chat.Codes())-1]; last != alert.Recovered {
				t.Errorf("told %q", s.chat.Codes())
			}
		})
	})
	t.Run("and is enabled where configured", func(t *testing.T) {
		tell(t, armed, func(s *story) {
			s.key.KeyState = core.CareRestore
			s.setState(1, "DISABLED")
			if got := s.cloud.State(payments + "/cryptoKeyVersions/1"); got != gcptest.Enabled {
				t.Errorf("it is %s", got)
			}
			s.wantTold(alert.Restored)
			s.wantOurs(0)
		})
	})
}

// An authoritative tool writes the key's policy as it knows it, and with it
// wipes what the watchdog was granted on the key. What it has above stays.
func TestAnAuthoritativeWipeThatTakesOursToo(t *testing.T) {
	own := bind(project+"/roles/byokwatch", watcher)
	tell(t, allow(append(slices.Clone(ours), gives, own)...), func(s *story) {
		s.put(allow())
		s.wantAccess(true)
		s.wantOurs(1)
		if strings.Contains(s.cloud.Policy(payments), self) {
			t.Errorf("the watchdog gave itself access back:\n%s", s.cloud.Policy(payments))
		}
	})
	t.Run("where it had nothing above", func(t *testing.T) {
		tell(t, allow(append(slices.Clone(ours), gives, own)...), func(s *story) {
			must(s, s.cloud.SetPolicy(project, allow(bind("roles/owner", admin))))
			s.chat.Forget()
			s.edit(allow())
			event := s.cloud.Events()[0]
			// We can't look, so the event is not done with; whoever may is told.
			if code := s.serve(event.Request(gcptest.Push, "http://function/"), 2*time.Minute); code != http.StatusInternalServerError && s.chat.Told(alert.LockedOut).Code == "" {
				t.Errorf("answered %d, told %q", code, s.chat.Codes())
			}
			s.wantOurs(0)
			if len(s.chat.Got()) == 0 || alert.Lookup(s.chat.Got()[0].Code).Class != alert.Page {
				t.Errorf("told %q", s.chat.Codes())
			}
			must(s, s.cloud.SetPolicy(project, allow(bind("roles/owner", admin), own)))
			s.deliver()
			s.wantAccess(true)
			s.wantOurs(1)
		})
	})
}

// Somebody's edit between our read and our write makes our etag old: it is
// refused, and the edit stays.
func TestAConcurrentEditIsNotLost(t *testing.T) {
	extra := bind("roles/cloudkms.viewer", "user:somebody@acme.example")
	tell(t, armed, func(s *story) {
		s.edit(wiped)
		s.cloud.SetOdds(chaostest.Odds{SlowFor: 3 * time.Second})
		s.cloud.Inject(chaostest.Fault{Op: "SetIamPolicy", Resource: payments, Kind: chaostest.Slow})
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.deliver()
		}()
		time.Sleep(time.Second) // our write is on its way
		s.edit(allow(append(slices.Clone(ours), extra)...))
		<-done
		s.passes(10 * time.Minute)
		s.wantAccess(true)
		s.wantOurs(1)
		s.wantTheirs()
		if !strings.Contains(s.cloud.Policy(payments), "somebody@acme.example") {
			t.Errorf("the edit is gone:\n%s", s.cloud.Policy(payments))
		}
	})
	t.Run("which the read does not show yet", func(t *testing.T) {
		tell(t, armed, func(s *story) {
			s.edit(wiped)
			s.edit(allow(append(slices.Clone(ours), extra)...))
			s.cloud.Inject(chaostest.Fault{Op: "GetIamPolicy", Resource: payments, Kind: chaostest.Stale, Times: 2})
			s.deliver()
			s.passes(10 * time.Minute)
			s.wantAccess(true)
			s.wantTheirs()
			if !strings.Contains(s.cloud.Policy(payments), "somebody@acme.example") {
				t.Errorf("the edit is gone:\n%s", s.cloud.Policy(payments))
			}
		})
	})
}

func TestARevocationByLabelStands(t *testing.T) {
	tell(t, armed, func(s *story) {
		_, err := s.admin.KMS.Projects.Locations.KeyRings.CryptoKeys.Patch(payments, &sdk.CryptoKey{Labels: map[string]string{"byokwatch-revoked": "sec-812"}}).UpdateMask("labels").Do()
		must(s, err)
		s.put(wiped)
		s.passes(2 * time.Hour)
		s.wantOurs(0)
		s.wantAccess(false)
		if s.chat.Told(alert.Revoked).Code == "" {
			t.Errorf("told %q", s.chat.Codes())
		}
		_, err = s.admin.KMS.Projects.Locations.KeyRings.CryptoKeys.Patch(payments, &sdk.CryptoKey{}).UpdateMask("labels").Do()
		must(s, err)
		s.passes(time.Hour)
		s.wantOurs(0)
		if s.chat.Told(alert.MarkerGone).Code == "" {
			t.Errorf("told %q", s.chat.Codes())
		}
	})
}

// What the judge is asked about us it can answer: the role bound to our own
// service account is read. What Google's roles give it knows by itself.
func TestOurOwnRightsAreKnown(t *testing.T) {
	tell(t, armed, func(s *story) {
		w, err := s.function().Ready(s.Context())
		must(s, err)
		before := s.cloud.Calls("google.iam.admin.v1.GetRole")
		_, p, err := w.Dog.Preview(s.Context(), s.key)
		must(s, err)
		if p.Judgement.Writable != core.Met {
			t.Errorf("writable: %s", p.Judgement.Writable)
		}
		for _, f := range p.Judgement.Findings {
			if f.Result != core.Met {
				t.Errorf("%s is %s: %s", f.Permission, f.Result, f.Reason)
			}
		}
		if n := s.cloud.Calls("google.iam.admin.v1.GetRole") - before; n != 2 {
			t.Errorf("%d roles read, want Confluent's and ours", n)
		}
	})
}

// A healthy key costs its reads and one of the store, and nothing is written.
func TestAHealthySweepWritesNothing(t *testing.T) {
	tell(t, armed, func(s *story) {
		s.tick() // the roster is on record now
		uses, puts := len(s.cloud.Uses()), s.cloud.Calls("objects.insert")
		s.tick()
		if n := s.cloud.Calls("objects.insert") - puts; n != 0 {
			t.Errorf("%d objects written", n)
		}
		t.Logf("%d permissions used in a sweep of one key", len(s.cloud.Uses())-uses)
		s.wantOurs(0)
		s.wantTold()
	})
}
