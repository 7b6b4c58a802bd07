package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/confluent"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
)

type chaosOdds = chaostest.Odds

func odds(set func(*chaosOdds)) chaosOdds {
	var o chaosOdds
	set(&o)
	return o
}

func throttle(op string) chaostest.Fault {
	return chaostest.Fault{Op: op, Kind: chaostest.Throttle, Times: 2}
}

// deliverNamed hands over first what names somebody. Key Vault's own event of the
// same edit names nobody; whichever comes first, access comes back.
func (s *story) deliverNamed() {
	s.Helper()
	for _, e := range s.cloud.Events()[s.seen:] {
		if e.Op == "" {
			continue
		}
		if code := s.hand(e, maxEvent); code != http.StatusOK {
			s.Fatalf("event %s: %d", e.Op, code)
		}
	}
	s.deliver() // and once more, as happens
}

// A template that is deployed again puts its own list of access policies in the
// place of the vault's: https://github.com/MicrosoftDocs/azure-docs/issues/87727
func TestAccessPoliciesComeBackAtOnce(t *testing.T) {
	warehouse := azuretest.AccessPolicy{ObjectID: others, Keys: []string{"get", "list"}}
	reading := azuretest.AccessPolicy{ObjectID: reader, Keys: []string{"Get", "List"}}
	for name, list := range map[string][]azuretest.AccessPolicy{
		"wiped by a redeployment":                     nil,
		"wiped but for somebody else's":               {warehouse},
		"narrowed":                                    {warehouse, reading},
		"only for an application in Confluent's name": {warehouse, {ObjectID: reader, ApplicationID: others, Keys: confluent.AzureAccessPolicy()}},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, opening{policies: true, arm: givePolicies}, func(s *story) {
				must(t, s.admin.SetAccessPolicies(s.vault, list...))
				s.wantAccess(false)
				s.deliverNamed()
				s.wantAccess(true)
				s.wantOurs(1)
				for _, a := range list {
					if !strings.Contains(s.cloud.Vault(s.vault), a.ObjectID) {
						t.Errorf("the entry of %s is gone:\n%s", a.ObjectID, s.cloud.Vault(s.vault))
					}
				}
				s.passes(time.Hour)
				s.wantOurs(1)
				s.wantSnapshot()
				s.wantRecovered()
				if who := s.told(alert.Restored).Facts.Who; who == nil || who.Actor.ID != admin {
					t.Errorf("named %+v", who)
				}
			})
		})
	}
}

// The permission model is never switched back by the watchdog: who may do that
// could do anything.
func TestThePermissionModelIsSwitched(t *testing.T) {
	for name, c := range map[string]struct {
		open    opening
		rbac    bool
		command string
	}{
		"to access policies": {opening{}, false, "--enable-rbac-authorization true"},
		"to Azure RBAC":      {opening{policies: true, arm: givePolicies}, true, "--enable-rbac-authorization false"},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, c.open, func(s *story) {
				flip := func(on bool) {
					must(t, s.admin.UpdateVault(s.vault, map[string]any{"enableRbacAuthorization": on}))
				}
				flip(c.rbac)
				s.wantAccess(false)
				s.deliverNamed()
				s.passes(10 * time.Minute)
				s.wantOurs(0)
				if lines := s.commands(); !strings.Contains(lines, c.command) {
					t.Errorf("told %q, commands %q", s.codes(), lines)
				}
				if a := s.chat.Got()[0]; alert.Lookup(a.Code).Class != alert.Page || a.Facts.Who == nil || a.Facts.Who.Actor.ID != admin {
					t.Errorf("told %s, named %+v", a.Code, a.Facts.Who)
				}
				flip(!c.rbac)
				s.passes(45 * time.Minute)
				s.wantAccess(true)
				s.wantOurs(0)
				s.wantSnapshot()
				if last := s.codes()[len(s.codes())-1]; last != alert.Recovered {
					t.Errorf("told %q", s.codes())
				}
			})
		})
	}
}

func TestTheFirewallCloses(t *testing.T) {
	deny := map[string]any{"networkAcls": map[string]any{"bypass": "None", "defaultAction": "Deny", "ipRules": []any{map[string]any{"value": "203.0.113.7/32"}}}}
	unpass := map[string]any{"networkAcls": map[string]any{"bypass": "None", "defaultAction": "Deny"}}
	for name, c := range map[string]struct {
		cluster string
		before  map[string]any
		edit    map[string]any
	}{
		"to a dedicated cluster, by its bypass":       {confluent.AzureDedicated, map[string]any{"networkAcls": map[string]any{"bypass": "AzureServices", "defaultAction": "Deny"}}, unpass},
		"to a dedicated cluster, altogether":          {confluent.AzureDedicated, nil, deny},
		"to an enterprise cluster, by its default":    {confluent.AzureEnterprise, nil, deny},
		"to an enterprise cluster, by public access":  {confluent.AzureEnterprise, nil, map[string]any{"publicNetworkAccess": "Disabled"}},
		"to an enterprise cluster, by all of it":      {confluent.AzureEnterprise, nil, map[string]any{"publicNetworkAccess": "Disabled", "networkAcls": deny["networkAcls"]}},
		"to a dedicated cluster, public access first": {confluent.AzureDedicated, nil, map[string]any{"publicNetworkAccess": "Disabled", "networkAcls": deny["networkAcls"]}},
	} {
		arm := func(cl *azuretest.Cloud, at place) {
			give(cl, at.vault)
			if c.before != nil {
				must(t, cl.As("ADMIN").UpdateVault(at.vault, c.before))
			}
		}
		play := func(care core.Care, then func(s *story)) func(t *testing.T) {
			return func(t *testing.T) {
				tell(t, opening{arm: arm, key: func(k *core.Key) { k.Needs.Cluster, k.Network = c.cluster, care }}, func(s *story) {
					s.wantAccess(true)
					must(t, s.admin.UpdateVault(s.vault, c.edit))
					s.wantAccess(false)
					s.deliver()
					then(s)
				})
			}
		}
		t.Run(name+": told", play(core.CareAlert, func(s *story) {
			s.passes(5 * time.Minute)
			s.wantOurs(0)
			s.wantAccess(false)
			if lines := s.commands(); !strings.Contains(lines, "az keyvault update") {
				s.Errorf("told %q, commands %q", s.codes(), lines)
			}
			if who := s.chat.Got()[0].Facts.Who; who == nil || who.Actor.ID != admin {
				s.Errorf("named %+v", who)
			}
		}))
		t.Run(name+": opened where configured", play(core.CareRestore, func(s *story) {
			s.wantAccess(true)
			s.wantOurs(1)
			if strings.Contains(s.ours()[0].Before, "203.0.113.7") && !strings.Contains(s.cloud.Vault(s.vault), "203.0.113.7") {
				s.Errorf("a rule of the owner's is gone:\n%s", s.cloud.Vault(s.vault))
			}
			s.passes(time.Hour)
			s.wantOurs(1)
			s.wantTheirs()
			s.wantSnapshot()
			s.wantRecovered()
		}))
	}
}

// A deny assignment is made by Azure for somebody's deployment stack: only he can
// lift it.
func TestADenyAssignment(t *testing.T) {
	for name, c := range map[string]struct {
		deny  azuretest.DenyAssignment
		first alert.Code
	}{
		"of everybody":            {azuretest.DenyAssignment{Exclude: []string{admin, self}}, alert.CannotRestore},
		"of nobody but Confluent": {azuretest.DenyAssignment{Principals: []string{reader}}, alert.OnlyConfluent},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, opening{}, func(s *story) {
				c.deny.Scope, c.deny.DisplayName = s.group, "stack of somebody"
				c.deny.Permissions = []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/unwrap/action"}}}
				id := s.cloud.Deny(c.deny) // no event tells of it
				s.tick()
				s.wantTold(c.first)
				s.passes(35 * time.Minute)
				if lines := strings.Join(s.told(alert.CannotRestore).Facts.Commands, "\n"); !strings.Contains(lines, "az stack") && !strings.Contains(lines, "denyAssignments") {
					t.Errorf("told %q, commands %q", s.codes(), lines)
				}
				s.wantOurs(0)
				s.wantSnapshot()
				s.cloud.Undeny(id)
				s.passes(45 * time.Minute)
				s.wantAccess(true)
				if last := s.codes()[len(s.codes())-1]; last != alert.Recovered {
					t.Errorf("told %q", s.codes())
				}
			})
		})
	}
}

func TestAVersionIsDisabled(t *testing.T) {
	for name, current := range map[string]bool{"the current one": true, "an older one, which old data needs": false} {
		version := func(s *story) string {
			all := s.cloud.Versions(s.key.ID)
			if current {
				return all[len(all)-1]
			}
			return all[0]
		}
		t.Run(name+": pages until it is enabled", func(t *testing.T) {
			tell(t, opening{}, func(s *story) {
				must(t, s.admin.SetKeyEnabled(s.vaultKey(), version(s), false))
				s.tick() // no event tells of it
				if len(s.chat.Got()) != 1 || alert.Lookup(s.chat.Got()[0].Code).Class != alert.Page {
					t.Errorf("told %q", s.codes())
				}
				if lines := s.commands(); !strings.Contains(lines, "az keyvault key set-attributes") || !strings.Contains(lines, version(s)) {
					t.Errorf("commands %q", lines)
				}
				s.wantOurs(0)
				must(t, s.admin.SetKeyEnabled(s.vaultKey(), version(s), true))
				s.passes(45 * time.Minute)
				if last := s.codes()[len(s.codes())-1]; last != alert.Recovered {
					t.Errorf("told %q", s.codes())
				}
			})
		})
		t.Run(name+": is enabled where configured", func(t *testing.T) {
			tell(t, opening{key: func(k *core.Key) { k.KeyState = core.CareRestore }}, func(s *story) {
				must(t, s.admin.SetKeyEnabled(s.vaultKey(), version(s), false))
				s.wantAccess(false)
				s.tick()
				s.wantAccess(true)
				s.wantOurs(1)
				s.passes(time.Hour)
				s.wantOurs(1)
				s.wantRecovered()
			})
		})
	}
}

// vaultKey is the key as people name it.
func (s *story) vaultKey() string { return s.place.key }

// What is assigned to a vault goes with it, and does not come back with it:
// https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
func TestAVaultIsDeletedAndRecovered(t *testing.T) {
	for name, seesDeleted := range map[string]bool{"where we may look among the deleted": true, "where we may not": false} {
		t.Run(name, func(t *testing.T) {
			tell(t, opening{}, func(s *story) {
				if seesDeleted {
					grant(s.cloud, map[string][]string{"subscriptions": {s.cloud.Subscription()}}, nil, readPermissions(t).Optional...)
				}
				must(t, s.admin.DeleteVault(s.vault))
				for _, e := range s.cloud.Events()[s.seen:] {
					s.hand(e, maxEvent) // fails where nobody can tell what happened
					s.seen++
				}
				s.wantOurs(0)
				if seesDeleted {
					s.wantTold(alert.KeyDeleting)
					if lines := s.commands(); !strings.Contains(lines, "az keyvault recover") {
						t.Errorf("commands %q", lines)
					}
				} else {
					s.wantTold(alert.Blind)
				}
				s.chat.Forget()
				time.Sleep(5 * time.Minute)
				must(t, s.admin.RecoverVault(s.vault))
				s.wantAccess(false)
				s.seen = len(s.cloud.Events())
				s.passes(3 * time.Minute)
				s.wantAccess(true)
				s.assignedAtVault(encryption, looking)
				s.wantOurs(2)
				s.passes(time.Hour)
				s.wantSnapshot()
				s.wantRecovered()
			})
		})
	}
}

// The owner's no, on the vault itself.
func TestARevocationByTagStands(t *testing.T) {
	for name, value := range map[string]string{"of the key by its name": "Orders, Payments", "of every key": "*"} {
		t.Run(name, func(t *testing.T) {
			tell(t, opening{}, func(s *story) {
				must(t, s.admin.TagVault(s.vault, "Merge", map[string]string{"byokwatch-revoked": value}))
				s.drop(encryption, looking)
				s.deliver()
				s.passes(2 * time.Hour)
				s.wantOurs(0)
				s.wantAccess(false)
				if s.told(alert.Revoked).Code == "" {
					t.Errorf("told %q", s.codes())
				}
				must(t, s.admin.TagVault(s.vault, "Replace", map[string]string{"env": "prod"})) // as a pipeline does
				s.passes(time.Hour)
				s.wantOurs(0)
				if s.told(alert.MarkerGone).Code == "" {
					t.Errorf("told %q", s.codes())
				}
			})
		})
	}
	t.Run("of another key alone does not", func(t *testing.T) {
		tell(t, opening{}, func(s *story) {
			must(t, s.admin.TagVault(s.vault, "Merge", map[string]string{"byokwatch-revoked": "payments2"}))
			s.drop(encryption)
			s.passes(3 * time.Minute)
			s.wantAccess(true)
		})
	})
}

// A key has an end of its own, after which nothing new can be encrypted.
func TestAKeysOwnEndIsTold(t *testing.T) {
	tell(t, opening{}, func(s *story) {
		must(t, s.admin.UpdateKey(s.vaultKey(), "", map[string]any{"exp": time.Now().Add(10 * 24 * time.Hour).Unix()}))
		s.passes(10 * time.Minute)
		s.wantTold(alert.KeyExpiring)
		s.wantOurs(0)
		if rec, _, err := s.store.Load(s.Context(), s.key); err != nil || !slices.ContainsFunc(rec.Snapshot.Policy, func(d core.Document) bool { return d.Kind == core.VaultKey }) {
			t.Errorf("record %+v, %v", rec, err)
		}
	})
}
