package keyvault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/share"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/keyvault"
)

const (
	custom  = "c0000000-0000-4000-8000-000000000001" // a custom role
	custom2 = "c0000000-0000-4000-8000-000000000002"
)

// names lists a policy's documents as kind and ID, and what is unreadable.
func names(p core.Policy) (all []string, hidden map[string]string) {
	hidden = map[string]string{}
	for _, d := range p {
		all = append(all, string(d.Kind)+" "+d.ID)
		if d.Unreadable != "" {
			hidden[string(d.Kind)+" "+d.ID] = d.Unreadable
		}
	}
	slices.Sort(all)
	return all, hidden
}

func roleDoc(id string) string {
	return "azure.role-definitions /providers/microsoft.authorization/roledefinitions/" + id
}

// given is a vault in which Confluent has roles in every way in which it can.
func given(t *testing.T, rights ...string) world {
	t.Helper()
	w := open(t, azuretest.Options{ManagementGroups: []string{"acme"}}, azuretest.VaultSpec{RBAC: true}, rights...)
	w.AddCustomRole(azuretest.Role{GUID: custom, Name: "kafka", Scopes: []string{w.group}, Permissions: []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/wrap/action"}}}})
	w.AddCustomRole(azuretest.Role{GUID: custom2, Name: "others"})
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: encrypting, Principal: cloudUser})
	w.Assign(azuretest.Assignment{Scope: w.group, Role: custom, Principal: group})
	w.Assign(azuretest.Assignment{Scope: azuretest.ManagementGroup("acme"), Role: looking, Principal: cloudUser})
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: custom2, Principal: others})
	w.Deny(azuretest.DenyAssignment{DisplayName: "stack", Scope: w.group, Principals: []string{others}, Permissions: []azuretest.Permission{{DataActions: []string{"*"}}}})
	return w
}

func TestAReadBringsEverythingThatMatters(t *testing.T) {
	w := given(t, reading...)
	p := w.read()
	got, hidden := names(p)
	k := w.payments.ID
	want := slices.Sorted(slices.Values([]string{
		"azure.vault " + w.payments.Vault, "azure.key " + k, "azure.key-versions " + k,
		"azure.role-assignments " + core.AssignedTo(k, cloudUser), "azure.role-assignments " + core.AssignedTo(k, self), "azure.deny-assignments " + k,
		roleDoc(encrypting), roleDoc(looking), roleDoc(custom), roleDoc(watching), roleDoc(below),
	}))
	if !slices.Equal(got, want) || len(hidden) > 0 {
		t.Errorf("got  %q\nwant %q\nunreadable %v", got, want, hidden)
	}
	reaching := textOf(p, core.RoleAssignments, core.AssignedTo(k, cloudUser))
	for part, there := range map[string]bool{custom: true, group: true, looking: true, "managementGroups/acme": true, custom2: false, others: false} {
		if strings.Contains(reaching, part) != there {
			t.Errorf("%s in what is assigned to Confluent: want %t\n%s", part, there, reaching)
		}
	}
	if text := textOf(p, core.DenyAssignments, ""); !strings.Contains(text, `"denyAssignmentName": "stack"`) {
		t.Errorf("denials: %s", text)
	}
	if text := textOf(p, core.VaultKeyVersions, ""); strings.Count(text, `"enabled": true`) != 2 {
		t.Errorf("versions: %s", text)
	}
}

func TestOnlyWhatIsAskedForIsRead(t *testing.T) {
	w := given(t, reading...)
	p, err := keyvault.New(w.access(), keyvault.Options{Builtin: azurekv.Builtin}).Read(t.Context(), w.payments)
	w.check(err)
	got, _ := names(p)
	if slices.Contains(got, roleDoc(encrypting)) || slices.Contains(got, roleDoc(watching)) || !slices.Contains(got, roleDoc(custom)) {
		t.Errorf("%q", got)
	}
	mine := w.payments
	mine.Needs.Principal = self
	p, err = w.keeper().Read(t.Context(), mine)
	w.check(err)
	if got, _ := names(p); len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("one document twice: %q", got)
	}
}

// A role that nothing assigns any more may have been widened since: a restore
// must see what it gives now.
func TestARoleThatMatteredIsStillRead(t *testing.T) {
	w := given(t, reading...)
	k := w.keeper()
	if got := k.Remember(w.payments, "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/"+strings.ToUpper(custom2), "no role", ""); !slices.Equal(got, []string{custom2}) {
		t.Errorf("remembers %q", got)
	}
	p, err := k.Read(t.Context(), w.payments)
	w.check(err)
	if textOf(p, core.RoleDefinitions, "") == "" || !strings.Contains(textOf(p, core.RoleDefinitions, "/providers/microsoft.authorization/roledefinitions/"+custom2), `"others"`) {
		t.Error("a role that somebody told of is not read")
	}
	for _, a := range w.Assignments(w.key, group) {
		w.check(w.admin.DeleteAssignment(a.Scope + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name))
	}
	w.check(w.admin.DeleteRole(custom))
	p, err = k.Read(t.Context(), w.payments)
	w.check(err)
	if got := textOf(p, core.RoleDefinitions, "/providers/microsoft.authorization/roledefinitions/"+custom); got != "[]" {
		t.Errorf("a role that is gone reads %q", got)
	}
}

func TestWhatMayNotBeReadIsToldWithTheRight(t *testing.T) {
	for kind, right := range map[core.Kind]string{
		core.Vault: "Microsoft.KeyVault/vaults/read", core.VaultKey: "Microsoft.KeyVault/vaults/keys/read", core.VaultKeyVersions: "Microsoft.KeyVault/vaults/keys/versions/read",
		core.RoleAssignments: "Microsoft.Authorization/roleAssignments/read", core.DenyAssignments: "Microsoft.Authorization/denyAssignments/read", core.RoleDefinitions: "Microsoft.Authorization/roleDefinitions/read",
	} {
		w := given(t, slices.DeleteFunc(slices.Clone(reading), func(r string) bool { return r == right })...)
		k := w.keeper()
		k.Remember(w.payments, custom)
		p, err := k.Read(t.Context(), w.payments)
		w.check(err)
		for _, d := range p {
			if (d.Kind == kind) != (d.Unreadable != "") || d.Unreadable != "" && (!strings.Contains(d.Unreadable, "may not "+right+" on /subscriptions/") || d.Text != "") {
				t.Errorf("without %s: %s %s: %q, %d bytes", right, d.Kind, d.ID, d.Unreadable, len(d.Text))
			}
		}
	}
}

const gone = "{\n  \"error\": {\n    \"code\": \"KeyNotFound\"\n  }\n}"

func TestWhatIsNotThere(t *testing.T) {
	t.Run("a key that was deleted is there as what Azure says then", func(t *testing.T) {
		w := given(t, reading...)
		w.check(w.admin.DeleteKey(w.key))
		p := w.read()
		_, hidden := names(p)
		if textOf(p, core.VaultKey, "") != gone || textOf(p, core.VaultKeyVersions, "") != "[]" || len(hidden) > 0 {
			t.Errorf("key %s, versions %s, unreadable %v", textOf(p, core.VaultKey, ""), textOf(p, core.VaultKeyVersions, ""), hidden)
		}
	})
	t.Run("a key that is not found in a vault that we may not see is unknown", func(t *testing.T) {
		w := given(t, slices.DeleteFunc(slices.Clone(reading), func(r string) bool { return r == "Microsoft.KeyVault/vaults/read" })...)
		w.check(w.admin.DeleteKey(w.key))
		if _, hidden := names(w.read()); !strings.Contains(hidden["azure.key "+w.payments.ID], "does not exist") || len(hidden) != 3 {
			t.Errorf("unreadable %v", hidden)
		}
	})
	t.Run("a vault that was deleted is there as what is left of it", func(t *testing.T) {
		w := given(t, reading...)
		w.check(w.admin.DeleteVault(w.vault))
		p := w.read()
		_, hidden := names(p)
		if v := textOf(p, core.Vault, w.payments.Vault); !strings.Contains(v, `"vaultId": "`+w.vault+`"`) || strings.Contains(v, "vaultUri") {
			t.Errorf("the vault reads %s", v)
		}
		if textOf(p, core.VaultKey, "") != "" || !strings.Contains(hidden["azure.key "+w.payments.ID], "does not exist") {
			t.Errorf("key %s, unreadable %v", textOf(p, core.VaultKey, ""), hidden)
		}
		if j := azurekv.Judge(p, core.Question{Key: w.payments, Needs: azurekv.Needs(w.payments, p, nil)}); !j.Deleting {
			t.Error("the judge does not see that it is deleted")
		}
	})
	for name, rights := range map[string][]string{"a vault that never was is not found": reading, "nor one that may have been deleted, which we may not see": slices.DeleteFunc(slices.Clone(reading), func(r string) bool { return strings.Contains(r, "deletedVaults") })} {
		t.Run(name, func(t *testing.T) {
			w := given(t, rights...)
			absent := w.payments
			absent.ID, absent.Vault = strings.Replace(absent.ID, "acme-vault", "no-vault", 1), ""
			p, err := w.keeper().Read(t.Context(), absent)
			expect(t, "read", err, core.ErrNotFound)
			if p != nil || !strings.Contains(err.Error(), absent.ID) {
				t.Errorf("%d documents, %v", len(p), err)
			}
		})
	}
	for name, f := range map[string]chaostest.Fault{
		"a subscription that is not found is an outage, not an absence": {Op: "Microsoft.KeyVault/vaults/read", Kind: chaostest.Other, Status: 404, Code: "SubscriptionNotFound"},
		"a 404 without a code is an outage as well":                     {Op: "Microsoft.KeyVault/vaults/keys/read", Kind: chaostest.Other, Status: 404},
		"a caller who is not known sees an outage":                      {Op: "Microsoft.KeyVault/vaults/keys/read", Kind: chaostest.Other, Status: 401, Code: "ExpiredAuthenticationToken"},
	} {
		t.Run(name, func(t *testing.T) {
			w := given(t, reading...)
			w.Inject(f)
			p, err := w.keeper().Read(t.Context(), w.payments)
			expect(t, "read", err, nil)
			if p != nil {
				t.Errorf("%d documents", len(p))
			}
		})
	}
	for name, op := range map[string]string{"a key that is gone while its versions are there is unknown": "Microsoft.KeyVault/vaults/keys/read", "so are versions that are gone while the key is there": "Microsoft.KeyVault/vaults/keys/versions/read"} {
		t.Run(name, func(t *testing.T) {
			w := given(t, reading...)
			w.Inject(chaostest.Fault{Op: op, Kind: chaostest.Other, Status: 404, Code: "KeyNotFound"})
			if _, hidden := names(w.read()); len(hidden) != 1 {
				t.Errorf("unreadable: %v", hidden)
			}
		})
	}
	t.Run("a role that is not found for want of a vault is not gone", func(t *testing.T) {
		w := given(t, reading...)
		w.Inject(chaostest.Fault{Op: "Microsoft.Authorization/roleDefinitions/read", Kind: chaostest.Other, Status: 404, Code: "ResourceNotFound", Times: 1 << 10})
		p := w.read()
		if _, hidden := names(p); hidden[roleDoc(custom)] == "" || textOf(p, core.RoleDefinitions, "") != "" {
			t.Errorf("unreadable: %v", hidden)
		}
	})
}

// What fails for a moment must not look like what is not there.
func TestAnOutageEndsTheRead(t *testing.T) {
	for _, op := range []string{"Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/versions/read",
		"Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/denyAssignments/read", "Microsoft.Authorization/roleDefinitions/read"} {
		for _, kind := range []chaostest.Kind{chaostest.Unavailable, chaostest.Dropped} {
			synctest.Test(t, func(t *testing.T) {
				w := given(t, reading...)
				w.Inject(chaostest.Fault{Op: op, Kind: kind, Times: 1 << 20})
				begun := time.Now()
				p, err := w.keeper().Read(t.Context(), w.payments)
				expect(t, op, err, nil)
				if p != nil || !strings.Contains(err.Error(), w.payments.ID) || time.Since(begun) > 10*time.Second {
					t.Errorf("%s: %d documents after %s, %v", op, len(p), time.Since(begun), err)
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := given(t, reading...)
		w.check(w.admin.DeleteVault(w.vault))
		w.Inject(chaostest.Fault{Op: "Microsoft.KeyVault/deletedVaults/read", Kind: chaostest.Unavailable, Times: 1 << 20})
		p, err := w.keeper().Read(t.Context(), w.payments)
		expect(t, "deleted vaults", err, nil)
		if p != nil {
			t.Errorf("%d documents", len(p))
		}
	})
}

func TestAnAnswerAboutSomethingElseIsNone(t *testing.T) {
	for part, to := range map[string]string{
		`"id":"%v"`: `"id":"%v2"`, `"id":"%k"`: `"id":"%k2"`, `"id":"%k/versions/`: `"id":"%k2/versions/`, `/roleDefinitions/` + custom + `","name"`: `/roleDefinitions/` + custom2 + `","name"`,
		`{"id":"%v"`: `{"id":"%v","id":"%v"`, `{"value":`: `{"values":`, `"properties":{"roleDefinitionId"`: `"roleDefinitionId":"x","properties":{"roleDefinitionId"`,
	} {
		w := given(t, reading...)
		in := strings.NewReplacer("%v", w.vault, "%k", w.key)
		var changed atomic.Bool
		k := w.edited(func(_, body string) string {
			out := strings.ReplaceAll(body, in.Replace(part), in.Replace(to))
			if out != body {
				changed.Store(true)
			}
			return out
		})
		p, err := k.Read(t.Context(), w.payments)
		expect(t, to, err, nil)
		if p != nil || !changed.Load() {
			t.Errorf("%s: taken for ours; changed: %t", to, changed.Load())
		}
	}
}

func TestAListThatNeverEndsIsNone(t *testing.T) {
	w := given(t, reading...)
	k := w.edited(func(path, body string) string {
		if strings.HasSuffix(path, "/versions") {
			return `{"value":[],"nextLink":"https://management.azure.com` + path + `?api-version=2026-02-01"}`
		}
		return body
	})
	if p, err := k.Read(t.Context(), w.payments); err == nil || p != nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("%d documents, %v", len(p), err)
	}
}

func TestManyPagesAreOneDocument(t *testing.T) {
	w := open(t, azuretest.Options{PageSize: 3}, azuretest.VaultSpec{RBAC: true}, reading...)
	for range 6 {
		_, err := w.admin.NewKeyVersion(w.key)
		w.check(err)
	}
	for i := range 10 {
		role := w.AddCustomRole(azuretest.Role{Name: fmt.Sprint("role ", i)})
		w.Assign(azuretest.Assignment{Scope: w.vault, Role: role, Principal: cloudUser})
		w.Deny(azuretest.DenyAssignment{Scope: w.vault, Permissions: []azuretest.Permission{{Actions: []string{"x"}}}})
	}
	p := w.read()
	for kind, want := range map[core.Kind]int{core.VaultKeyVersions: 8, core.RoleAssignments: 10, core.DenyAssignments: 10} {
		if got := strings.Count(textOf(p, kind, ""), "\n    \"id\": "); got != want {
			t.Errorf("%s: %d items, want %d", kind, got, want)
		}
	}
	if got, _ := names(p); len(got) != 6+10+2 {
		t.Errorf("%d documents", len(got))
	}
}

func TestAPassReadsWhatKeysShareOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := given(t, reading...)
		k := w.keeper()
		keys := []core.Key{w.payments}
		for _, name := range []string{"a", "b", "c", "d"} {
			one := w.payments
			one.ID = strings.ToLower(w.AddKey(azuretest.KeySpec{Vault: w.vault, Name: name}))
			keys = append(keys, one)
		}
		ctx := share.WithPass(t.Context(), time.Now)
		var all sync.WaitGroup
		for _, one := range keys {
			all.Go(func() {
				p, err := k.Read(ctx, one)
				if got, hidden := names(p); err != nil || len(hidden) > 0 || !slices.Contains(got, roleDoc(custom)) || !slices.Contains(got, "azure.vault "+one.Vault) {
					t.Errorf("%q, %v, %v", got, hidden, err)
				}
			})
		}
		all.Wait()
		for op, want := range map[string]int{"Microsoft.KeyVault/vaults/read": 1, "Microsoft.KeyVault/vaults/keys/read": 5, "Microsoft.KeyVault/vaults/keys/versions/read": 5,
			"Microsoft.Authorization/roleAssignments/read": 10, "Microsoft.Authorization/denyAssignments/read": 5, "Microsoft.Authorization/roleDefinitions/read": 5} {
			if got := w.Calls(op); got != want {
				t.Errorf("%s: %d calls, want %d", op, got, want)
			}
		}
		w.check(w.admin.TagVault(w.vault, "Merge", map[string]string{"byokwatch-revoked": "*"}))
		p, err := k.Read(ctx, keys[0])
		if err != nil || !strings.Contains(textOf(p, core.Vault, ""), "byokwatch-revoked") || w.Calls("Microsoft.KeyVault/vaults/read") != 2 {
			t.Errorf("a second look at a key does not see what has changed: %v", err)
		}
	})
}

func TestAHealthyReadIsOneRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := given(t, reading...)
		w.SetOdds(chaostest.Odds{Slow: 1, SlowFor: time.Second})
		begun := time.Now()
		if _, err := keyvault.New(w.access(), keyvault.Options{Self: self, Builtin: func(string) bool { return true }}).Read(t.Context(), w.payments); err != nil || time.Since(begun) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		begun = time.Now()
		if _, err := w.keeper().Read(t.Context(), w.payments); err != nil || time.Since(begun) != 2*time.Second {
			t.Errorf("with roles: %v after %s", err, time.Since(begun))
		}
	})
}

func TestACancelledReadSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := given(t, reading...)
		w.SetOdds(chaostest.Odds{Slow: 1, SlowFor: time.Hour})
		ctx, cancel := context.WithCancel(share.WithPass(t.Context(), time.Now))
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		if _, err := w.keeper().Read(ctx, w.payments); !errors.Is(err, context.Canceled) || time.Since(begun) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

func TestAKeyOfAnotherFormIsNotAskedFor(t *testing.T) {
	w := given(t, reading...)
	for _, id := range []string{"", w.key, w.payments.Vault, w.payments.ID + "/versions/x", w.payments.ID + "?x", strings.Replace(w.payments.ID, "rg-kafka", "..", 1), w.payments.ID + "\n"} {
		k := w.payments
		k.ID = id
		if p, err := w.keeper().Read(t.Context(), k); err == nil || p != nil || errors.Is(err, core.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		if err := w.keeper().Apply(t.Context(), k, w.assignStep(named, encrypting, cloudUser)); err == nil {
			t.Errorf("%q: applied", id)
		}
	}
	k := w.payments
	k.Vault += "2"
	if _, err := w.keeper().Read(t.Context(), k); err == nil {
		t.Error("a key outside of its vault was read")
	}
	if w.Calls("") != 0 {
		t.Error("Azure was asked")
	}
}
