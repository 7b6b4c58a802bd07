package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/confluent"
	"byokwatch/functions/azure/azuretest"
)

func assignmentID(a azuretest.Assignment) string {
	return a.Scope + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name
}

// drop deletes Confluent's assignments of some roles, as somebody who tidies up.
func (s *story) drop(roles ...string) {
	s.Helper()
	dropped := 0
	for _, a := range s.assigned(s.vault, reader) {
		if slices.Contains(roles, a.Role) {
			must(s, s.admin.DeleteAssignment(assignmentID(a)))
			dropped++
		}
	}
	if dropped != len(roles) {
		s.Fatalf("%d of %d roles were assigned", dropped, len(roles))
	}
}

// wantRecovered wants one restore and its recovery told, and nothing else.
func (s *story) wantRecovered() {
	s.Helper()
	s.wantTold(alert.Restored, alert.Recovered)
}

// assignedAtVault wants Confluent to have exactly some roles at the vault.
func (s *story) assignedAtVault(want ...string) {
	s.Helper()
	var got []string
	for _, a := range s.assigned(s.vault, reader) {
		if strings.EqualFold(a.Scope, s.vault) {
			got = append(got, a.Role)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("at the vault Confluent has %q, want %q", got, want)
	}
}

func TestAssignmentsComeBack(t *testing.T) {
	for name, lost := range map[string][]string{
		"the one that gives the key":   {encryption},
		"the one that shows the vault": {looking},
		"both":                         {encryption, looking},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, opening{}, func(s *story) {
				before := s.assigned(s.vault, reader)
				s.drop(lost...)
				begun := time.Now()
				s.deliver()
				s.wantOurs(0) // it may be half of a replacement
				s.wantTold()
				s.passes(2 * time.Minute)
				s.wantAccess(true)
				s.wantOurs(len(lost))
				s.assignedAtVault(encryption, looking)
				for _, w := range s.ours() {
					if after := w.At.Sub(begun); after < time.Minute || after > 2*time.Minute {
						t.Errorf("given back after %s", after)
					}
				}
				if after := s.assigned(s.vault, reader); !slices.EqualFunc(before, after, func(a, b azuretest.Assignment) bool { return a.Name == b.Name }) {
					t.Errorf("assigned before %+v\nand after %+v", before, after)
				}
				s.passes(time.Hour)
				s.wantOurs(len(lost))
				s.wantTheirs()
				s.wantSnapshot()
				s.wantRecovered()
				who := s.told(alert.Restored).Facts.Who
				if who == nil || who.Actor.Name != "jane@acme.example" || who.Actor.Address != "203.0.113.7" {
					t.Errorf("named %+v", who)
				}
			})
		})
	}
}

// Terraform replaces an assignment by deleting it and making it anew. A watchdog
// that were faster would make its apply fail.
func TestAReplacementIsNotAnswered(t *testing.T) {
	tell(t, opening{}, func(s *story) {
		s.drop(encryption)
		s.deliver()
		time.Sleep(20 * time.Second)
		_, err := s.admin.AssignRole(azuretest.Assignment{Scope: s.vault, Role: encryption, Principal: reader, Type: azuretest.ServicePrincipal})
		must(t, err)
		s.passes(time.Hour)
		s.wantOurs(0)
		s.wantAccess(true)
		s.wantTold(alert.Recovered) // Confluent was without it for 20 s, after all
	})
}

func TestWhatReachesTheVaultFromAbove(t *testing.T) {
	both := func(c *azuretest.Cloud, at place) {
		give(c, at.vault)
		give(c, at.group)
	}
	t.Run("is not missed while the vault's own stays", func(t *testing.T) {
		tell(t, opening{arm: both}, func(s *story) {
			for _, a := range s.assigned(s.group, reader) {
				must(t, s.admin.DeleteAssignment(assignmentID(a)))
			}
			s.passes(time.Hour)
			s.wantOurs(0)
			s.wantAccess(true)
			s.wantTold()
			s.wantSnapshot()
		})
	})
	t.Run("is given back at the vault", func(t *testing.T) {
		tell(t, opening{arm: func(c *azuretest.Cloud, at place) { give(c, at.group) }}, func(s *story) {
			for _, a := range s.assigned(s.group, reader) {
				must(t, s.admin.DeleteAssignment(assignmentID(a)))
			}
			s.deliver()
			s.passes(2 * time.Minute)
			s.wantAccess(true)
			s.wantOurs(2)
			s.assignedAtVault(encryption, looking)
			if len(s.assigned(s.group, reader)) > 0 {
				t.Errorf("above the vault Confluent has %+v", s.assigned(s.group, reader))
			}
			s.passes(time.Hour)
			s.wantRecovered()
			s.wantSnapshot()
		})
	})
	t.Run("through a group is given back to Confluent alone", func(t *testing.T) {
		const group = "aaaa0000-0000-4000-8000-0000000000aa"
		arm := func(c *azuretest.Cloud, at place) {
			c.AddGroup(group, reader, others)
			for _, role := range []string{encryption, looking} {
				c.Assign(azuretest.Assignment{Scope: at.vault, Role: role, Principal: group, Type: azuretest.Group})
			}
		}
		tell(t, opening{arm: arm}, func(s *story) {
			s.cloud.Leave(group, reader) // no event tells of it
			s.passes(3 * time.Minute)
			s.wantAccess(true)
			s.wantOurs(2)
			s.wantTheirs()
			s.assignedAtVault(encryption, looking)
		})
	})
}

var wide = azuretest.Role{GUID: "bbbb0000-0000-4000-8000-000000000001", Name: "kafka keys", Permissions: []azuretest.Permission{{
	Actions:     []string{"Microsoft.KeyVault/vaults/*"},
	DataActions: []string{"Microsoft.KeyVault/vaults/keys/*"}, NotDataActions: []string{"Microsoft.KeyVault/vaults/keys/purge/action"},
}}}

func custom(c *azuretest.Cloud, at place) {
	c.AddCustomRole(wide)
	c.Assign(azuretest.Assignment{Scope: at.vault, Role: wide.GUID, Principal: reader})
}

// What a role of the owner's gave comes back as the two roles that Confluent asks
// for, and no more than they give.
func TestTheTwoRolesStandInForAnOther(t *testing.T) {
	narrowed := wide
	narrowed.Permissions = []azuretest.Permission{{Actions: wide.Permissions[0].Actions, DataActions: []string{"Microsoft.KeyVault/vaults/keys/read"}}}
	for name, c := range map[string]struct {
		take func(s *story)
		want []string // beside the custom role, where that is left
	}{
		"whose assignment is deleted": {func(s *story) { s.drop(wide.GUID) }, []string{encryption, looking}},
		"that is narrowed":            {func(s *story) { must(s, s.admin.PutRole(narrowed)) }, []string{encryption, wide.GUID}},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, opening{arm: custom}, func(s *story) {
				s.wantAccess(true)
				c.take(s)
				s.deliver()
				s.passes(2 * time.Minute)
				s.wantAccess(true)
				s.assignedAtVault(c.want...)
				if ok, _ := s.cloud.CanData(reader, "Microsoft.KeyVault/vaults/keys/delete", s.key.ID); ok {
					t.Error("Confluent may delete the key")
				}
				s.passes(time.Hour)
				s.wantTheirs()
				s.wantSnapshot()
				s.wantRecovered()
				if who := s.told(alert.Restored).Facts.Who; who == nil || who.Actor.ID != admin {
					t.Errorf("named %+v", who)
				}
			})
		})
	}
}

// An assignment is found to be there already: somebody was faster, or an answer
// was lost.
func TestSomebodyIsFaster(t *testing.T) {
	tell(t, opening{}, func(s *story) {
		s.drop(encryption)
		s.deliver()
		time.Sleep(70 * time.Second)
		s.cloud.SetOdds(odds(func(o *chaosOdds) { o.StaleFor = 30 * time.Second }))
		_, err := s.admin.AssignRole(azuretest.Assignment{Scope: s.vault, Role: encryption, Principal: reader, Type: azuretest.ServicePrincipal})
		must(t, err)
		s.passes(time.Hour)
		s.wantAccess(true)
		s.assignedAtVault(encryption, looking)
		s.wantTheirs()
		s.wantSnapshot()
		if slices.Contains(s.codes(), alert.CannotRestore) {
			t.Errorf("told %q", s.codes())
		}
	})
}

// Reads may show an assignment for a while that is gone, and not yet one that was
// just made.
func TestAzureIsLateInShowingWhatWasDone(t *testing.T) {
	tell(t, opening{}, func(s *story) {
		s.cloud.SetOdds(odds(func(o *chaosOdds) { o.StaleFor = 5 * time.Minute }))
		s.drop(encryption, looking)
		s.deliver()
		s.passes(20 * time.Minute)
		s.wantAccess(true)
		s.assignedAtVault(encryption, looking)
		s.wantOurs(2)
		s.passes(time.Hour)
		s.wantTheirs()
		s.wantSnapshot()
		for _, code := range s.codes() {
			if !slices.Contains([]alert.Code{alert.Restored, alert.RestoredUnsure, alert.Recovered}, code) {
				t.Errorf("told %q", s.codes())
			}
		}
	})
}

// Throttled calls say when to come back, and are.
func TestThrottlingDelaysAndLosesNothing(t *testing.T) {
	tell(t, opening{policies: true, arm: givePolicies}, func(s *story) {
		s.remove()
		s.cloud.Inject(throttle("Microsoft.KeyVault/vaults/read"))
		s.cloud.Inject(throttle("Microsoft.KeyVault/vaults/accessPolicies/write"))
		s.deliver()
		s.wantAccess(true)
		s.wantOurs(1)
		s.passes(time.Hour)
		s.wantRecovered()
	})
}

// Two keys of one vault, each with a service principal of Confluent's: one edit,
// each given back once, and nobody takes the one's restore for misuse.
func TestTwoKeysOfOneVault(t *testing.T) {
	const second = "aaaa0000-0000-4000-8000-0000000000c2"
	tell(t, opening{arm: func(c *azuretest.Cloud, at place) {
		give(c, at.vault)
		c.AddPrincipal(azuretest.Principal{ObjectID: second, Name: "Confluent Cloud, orders"})
		for _, role := range []string{encryption, looking} {
			c.Assign(azuretest.Assignment{Scope: at.vault, Role: role, Principal: second})
		}
	}}, func(s *story) {
		key := s.cloud.AddKey(azuretest.KeySpec{Vault: s.vault, Name: "orders"})
		orders := s.key
		orders.ID, orders.Label, orders.Needs.Principal = strings.ToLower(key), "orders", second
		s.more = []core.Key{orders}
		file := readPermissions(t)
		grant(s.cloud, map[string][]string{"assigning": {s.group}}, []string{reader, second}, file.Restoring...)
		s.passes(time.Minute)
		s.chat.Forget()
		s.strip()
		for _, a := range s.assigned(s.vault, second) {
			must(t, s.admin.DeleteAssignment(assignmentID(a)))
		}
		s.passes(2 * time.Hour)
		s.wantAccess(true)
		if err := s.cloud.Works(second, confluent.AzureDedicated, key); err != nil {
			t.Errorf("the second key: %v", err)
		}
		s.wantOurs(4)
		got := s.codes()
		slices.Sort(got)
		if want := []alert.Code{alert.Recovered, alert.Recovered, alert.Restored, alert.Restored}; !slices.Equal(got, want) {
			t.Errorf("told %q", got)
		}
	})
}

// A healthy key costs its reads and one of the store, and nothing is written.
func TestAHealthySweepWritesNothing(t *testing.T) {
	tell(t, opening{}, func(s *story) {
		s.tick()
		before := len(s.cloud.Uses())
		s.tick()
		for _, u := range s.cloud.Uses()[before:] {
			if u.Caller == self && !strings.HasSuffix(u.Permission, "/read") {
				t.Errorf("used %s", u.Permission)
			}
		}
		t.Logf("%d permissions used in a sweep of one key", len(s.cloud.Uses())-before)
		s.wantOurs(0)
		s.wantTold()
	})
}

// Somebody takes the watchdog's right first, then Confluent's access.
func TestTheWatchdogIsLockedOut(t *testing.T) {
	tell(t, opening{}, func(s *story) {
		for _, a := range s.assigned(s.group, self) {
			if a.Condition != "" {
				must(t, s.admin.DeleteAssignment(assignmentID(a)))
			}
		}
		s.deliver()
		s.wantTold(alert.RightsGone)
		s.drop(encryption)
		s.deliver()
		s.passes(5 * time.Minute)
		s.wantOurs(0)
		a := s.told(alert.LockedOut)
		lines := strings.Join(a.Facts.Commands, "\n")
		if !strings.Contains(lines, "az role assignment create") || !strings.Contains(lines, encryption) || !strings.Contains(lines, self) {
			t.Errorf("told %q, commands %q", s.codes(), a.Facts.Commands)
		}
	})
}
