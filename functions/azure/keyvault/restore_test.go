package keyvault_test

import (
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/azurekv"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/keyvault"
)

// TestARestoreThatTheJudgeAsksForGivesAccessBack plays judge, restore and
// adapter together: what is read can be judged, what is planned can be written,
// and the emulator, which knows neither, says that access is back.
func TestARestoreThatTheJudgeAsksForGivesAccessBack(t *testing.T) {
	byPolicy := azuretest.VaultSpec{Policies: []azuretest.AccessPolicy{{ObjectID: cloudUser, Keys: []string{"get", "list", "wrapKey", "unwrapKey"}}, {ObjectID: others, Keys: []string{"all"}},
		{ObjectID: self, Keys: []string{"update"}}, {ObjectID: admin, Keys: []string{"all"}}}}
	wall := azuretest.VaultSpec{RBAC: true, Network: &azuretest.Network{Bypass: "AzureServices", DefaultAction: "Deny", IPs: []string{"192.0.2.0/24"}}}
	for name, c := range map[string]struct {
		vault  azuretest.VaultSpec
		breaks func(world) error
	}{
		"the assignments are deleted": {azuretest.VaultSpec{RBAC: true}, func(w world) error {
			for _, a := range w.Assignments(w.key, cloudUser) {
				if err := w.admin.DeleteAssignment(a.Scope + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name); err != nil {
					return err
				}
			}
			return nil
		}},
		"a custom role is gutted": {azuretest.VaultSpec{RBAC: true}, func(w world) error {
			return w.admin.PutRole(azuretest.Role{GUID: custom2, Name: "kafka", Permissions: []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/read"}}}})
		}},
		"the access policies are set anew": {byPolicy, func(w world) error {
			return w.admin.SetAccessPolicies(w.vault, byPolicy.Policies[1:]...)
		}},
		"the access policy is narrowed": {byPolicy, func(w world) error {
			return w.admin.EditAccessPolicies(w.vault, "replace", azuretest.AccessPolicy{ObjectID: cloudUser, Keys: []string{"get"}})
		}},
		"the bypass is taken away": {wall, func(w world) error {
			return w.admin.SetNetwork(w.vault, azuretest.Network{Bypass: "None", DefaultAction: "Deny", IPs: []string{"192.0.2.0/24", "198.51.100.7"}}, "")
		}},
		"a version is disabled": {azuretest.VaultSpec{RBAC: true}, func(w world) error { return w.admin.SetKeyEnabled(w.key, w.Versions(w.key)[0], false) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, azuretest.Options{}, c.vault, whole...)
			w.Login(azuretest.Caller{Token: "ADMIN", ObjectID: admin, Trusted: true})
			w.Login(azuretest.Caller{Token: "WATCHER", ObjectID: self, Trusted: true})
			w.AddCustomRole(azuretest.Role{GUID: custom2, Name: "kafka", Permissions: []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/*"}}}})
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: looking, Principal: cloudUser})
			w.Assign(azuretest.Assignment{Scope: w.key, Role: w.AddCustomRole(azuretest.Role{GUID: custom, Permissions: []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/update/action"}}}}), Principal: self})
			if name == "a custom role is gutted" {
				w.Assign(azuretest.Assignment{Scope: w.group, Role: custom2, Principal: group})
			} else if c.vault.RBAC {
				w.Assign(azuretest.Assignment{Name: named, Scope: w.vault, Role: encrypting, Principal: cloudUser})
			}
			k := keyvault.New(w.access(), keyvault.Options{Self: self, Builtin: azurekv.Builtin})
			q := core.Question{Key: w.payments, Self: self, At: time.Now()}
			q.Key.Mode, q.Key.Network, q.Key.KeyState = core.Enforce, core.CareRestore, core.CareRestore
			good, _ := look(w, k, q, nil)
			w.check(w.Works(cloudUser, azuretest.Dedicated, w.key))
			w.check(c.breaks(w))
			if w.Works(cloudUser, azuretest.Dedicated, w.key) == nil {
				t.Fatal("nothing is broken")
			}
			live, lost := look(w, k, q, good)
			q.Needs = azurekv.Needs(q.Key, live, good)
			list, err := azurekv.Candidates(live, good, q, lost)
			if err != nil || len(list) == 0 {
				t.Fatalf("%d candidates for %v, %v", len(list), lost, err)
			}
			w.check(azurekv.Guard(live, good, list[0], q, false))
			for _, s := range list[0].Steps {
				w.check(k.Apply(t.Context(), q.Key, s))
			}
			w.check(w.Works(cloudUser, azuretest.Dedicated, w.key))
			if _, lost := look(w, k, q, good); len(lost) > 0 {
				t.Errorf("the judge still misses %v", lost)
			}
		})
	}
}

// look reads and judges; it returns what is missing that is critical.
func look(w world, k *keyvault.Keeper, q core.Question, good core.Policy) (core.Policy, []core.Requirement) {
	w.t.Helper()
	p, err := k.Read(w.t.Context(), q.Key)
	w.check(err)
	q.Needs = azurekv.Needs(q.Key, p, good)
	j := azurekv.Judge(p, q)
	var lost []core.Requirement
	for _, f := range j.Findings {
		switch {
		case f.Severity != core.Critical:
		case f.Result == core.Undetermined, f.Aspect == core.Own && f.Result != core.Met:
			w.t.Errorf("%s %s is %v: %s", f.Principal, f.Permission, f.Result, f.Reason)
		case f.Result == core.Missing:
			lost = append(lost, f.Requirement)
		}
	}
	if good == nil && len(lost) > 0 || j.Writable != core.Met {
		w.t.Errorf("lost %v, writable %v", lost, j.Writable)
	}
	return p, lost
}
