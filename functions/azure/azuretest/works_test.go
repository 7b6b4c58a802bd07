package azuretest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/functions/azure/azuretest"
)

// drop deletes all that reaches Confluent.
func (w world) drop() {
	w.t.Helper()
	for _, a := range w.Assignments(w.key, confluent) {
		w.check(w.admin.DeleteAssignment(a.Scope + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name))
	}
}

func TestWhatTakesAccessAwayAndWhatGivesIt(t *testing.T) {
	all := []string{readKey, wrapKey, unwrapKey}
	custom := func(w world, p azuretest.Permission) {
		w.drop()
		role := w.AddCustomRole(azuretest.Role{Permissions: []azuretest.Permission{p}})
		w.Assign(azuretest.Assignment{Scope: w.vault, Role: role, Principal: confluent})
		w.Assign(azuretest.Assignment{Scope: w.vault, Role: vaultReader, Principal: confluent})
	}
	const soon = "@Environment[UtcNow] DateTimeLessThan '2000-01-01T00:00:10Z'"
	for sentence, c := range map[string]struct {
		change func(w world)
		works  bool
	}{
		"the two roles at the vault": {func(world) {}, true},
		"none":                       {func(w world) { w.drop() }, false},
		"only Key Vault Reader": {func(w world) {
			w.drop()
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: vaultReader, Principal: confluent})
		}, false},
		"only the other one, by which the vault can't be looked at": {func(w world) {
			w.drop()
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: encryptionUser, Principal: confluent})
		}, false},
		"both at the resource group": {func(w world) {
			w.drop()
			for _, r := range []string{encryptionUser, vaultReader} {
				w.Assign(azuretest.Assignment{Scope: w.Subscription() + "/RESOURCEGROUPS/RG-KAFKA", Role: r, Principal: confluent})
			}
		}, true},
		"both at a management group": {func(w world) {
			w.drop()
			for _, r := range []string{encryptionUser, vaultReader} {
				w.Assign(azuretest.Assignment{Scope: azuretest.ManagementGroup("top"), Role: r, Principal: confluent})
			}
		}, true},
		"at a vault whose name begins alike": {func(w world) {
			w.drop()
			other := w.AddVault(azuretest.VaultSpec{Name: "acme", RBAC: true})
			for _, r := range []string{encryptionUser, vaultReader} {
				w.Assign(azuretest.Assignment{Scope: other, Role: r, Principal: confluent})
			}
		}, false},
		"by way of a group in a group": {func(w world) {
			w.drop()
			w.AddGroup(name(50), confluent)
			w.Join(others, name(50))
			for _, r := range []string{encryptionUser, vaultReader} {
				w.Assign(azuretest.Assignment{Scope: w.vault, Role: r, Principal: others})
			}
		}, true},
		"by way of a group that it was taken out of": {func(w world) {
			w.drop()
			w.Join(others, confluent)
			for _, r := range []string{encryptionUser, vaultReader} {
				w.Assign(azuretest.Assignment{Scope: w.vault, Role: r, Principal: others})
			}
			w.Leave(others, confluent)
		}, false},
		"Owner gives no data action": {func(w world) {
			w.drop()
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Owner", Principal: confluent})
		}, false},
		"Key Vault Administrator gives all": {func(w world) {
			w.drop()
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Key Vault Administrator", Principal: confluent})
		}, true},
		"a custom role of just that":                  {func(w world) { custom(w, azuretest.Permission{DataActions: all}) }, true},
		"a custom role with a wildcard":               {func(w world) { custom(w, azuretest.Permission{DataActions: []string{"microsoft.keyvault/*/ACTION"}}) }, true},
		"a custom role that takes one away again":     {func(w world) { custom(w, azuretest.Permission{DataActions: all, NotDataActions: []string{unwrapKey}}) }, false},
		"what one role excludes another one may give": {func(w world) { w.twoRoles() }, true},
		"the same names as actions":                   {func(w world) { custom(w, azuretest.Permission{Actions: all}) }, false},
		"a custom role that was gutted": {func(w world) {
			custom(w, azuretest.Permission{DataActions: all})
			role := w.Assignments(w.vault, confluent)[0].Role
			w.check(w.admin.PutRole(azuretest.Role{GUID: role, Name: "gutted", Permissions: []azuretest.Permission{{DataActions: []string{readKey}}}}))
		}, false},
		"a condition that has ended": {func(w world) {
			w.drop()
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Key Vault Administrator", Principal: confluent, Condition: soon})
			time.Sleep(10 * time.Second)
		}, false},
		"a condition that has not": {func(w world) {
			w.drop()
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Key Vault Administrator", Principal: confluent, Condition: soon})
			time.Sleep(9 * time.Second)
		}, true},
		"a deny assignment for everybody": {func(w world) {
			w.Deny(azuretest.DenyAssignment{Scope: w.Subscription(), Permissions: []azuretest.Permission{{DataActions: []string{"*"}}}})
		}, false},
		"one for everybody but Confluent": {func(w world) {
			w.Deny(azuretest.DenyAssignment{Scope: w.Subscription(), Permissions: []azuretest.Permission{{DataActions: []string{"*"}}}, Exclude: []string{confluent}})
		}, true},
		"one for others": {func(w world) {
			w.Deny(azuretest.DenyAssignment{Scope: w.vault, Permissions: []azuretest.Permission{{DataActions: []string{"*"}}}, Principals: []string{others}})
		}, true},
		"one on the vault and not below it": {func(w world) {
			w.Deny(azuretest.DenyAssignment{Scope: w.vault, NotBelow: true, Permissions: []azuretest.Permission{{DataActions: []string{"*"}}}})
		}, true},
		"one that excludes what matters": {func(w world) {
			w.Deny(azuretest.DenyAssignment{Scope: w.vault, Permissions: []azuretest.Permission{{DataActions: []string{"*"}, NotDataActions: []string{"Microsoft.KeyVault/vaults/keys/*"}}}})
		}, true},
		"one that was taken away": {func(w world) {
			w.Undeny(w.Deny(azuretest.DenyAssignment{Scope: w.vault, Permissions: []azuretest.Permission{{DataActions: []string{"*"}}}}))
		}, true},
		"a principal that was deleted":    {func(w world) { w.DeletePrincipal(confluent) }, false},
		"the switch to access policies":   {func(w world) { w.patch(map[string]any{"enableRbacAuthorization": false}) }, false},
		"a closed firewall with a bypass": {func(w world) { w.patch(map[string]any{"networkAcls": map[string]any{"defaultAction": "Deny"}}) }, true},
		"one without": {func(w world) {
			w.patch(map[string]any{"networkAcls": map[string]any{"defaultAction": "Deny", "bypass": "None"}})
		}, false},
		"no public access, but a bypass": {func(w world) {
			w.patch(map[string]any{"publicNetworkAccess": "Disabled", "networkAcls": map[string]any{"bypass": "AzureServices"}})
		}, true},
		"a perimeter":                       {func(w world) { w.patch(map[string]any{"publicNetworkAccess": "SecuredByPerimeter"}) }, false},
		"a disabled key":                    {func(w world) { w.check(w.admin.SetKeyEnabled(w.key, "", false)) }, false},
		"a disabled older version":          {func(w world) { w.check(w.admin.SetKeyEnabled(w.key, w.Versions(w.key)[0], false)) }, false},
		"a key that may only sign":          {func(w world) { w.check(w.admin.SetKeyOps(w.key, "", "sign", "verify")) }, false},
		"an expired key":                    {func(w world) { w.check(w.admin.UpdateKey(w.key, "", map[string]any{"exp": time.Now().Unix() - 1})) }, false},
		"an older version that has expired": {func(w world) { w.check(w.admin.UpdateKey(w.key, w.Versions(w.key)[0], map[string]any{"exp": 1})) }, true},
		"a key that is not valid yet":       {func(w world) { w.check(w.admin.UpdateKey(w.key, "", map[string]any{"nbf": time.Now().Unix() + 60})) }, false},
		"a deleted key":                     {func(w world) { w.check(w.admin.DeleteKey(w.key)) }, false},
		"a key that was recovered": {func(w world) {
			w.check(w.admin.DeleteKey(w.key))
			w.check(w.admin.RecoverKey(w.key))
		}, true},
		"a deleted vault": {func(w world) { w.check(w.admin.DeleteVault(w.vault)) }, false},
		"a recovered vault, whose assignments are gone": {func(w world) {
			w.check(w.admin.DeleteVault(w.vault))
			w.check(w.admin.RecoverVault(w.vault))
		}, false},
		"a rotated key": {func(w world) {
			_, err := w.admin.NewKeyVersion(w.key)
			w.check(err)
		}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, azuretest.Options{ManagementGroups: []string{"platform", "top"}})
				c.change(w)
				w.works(c.works)
			})
		})
	}
}

func (w world) twoRoles() {
	w.drop()
	for _, p := range []azuretest.Permission{{DataActions: []string{"*"}, NotDataActions: []string{unwrapKey}}, {DataActions: []string{unwrapKey}}} {
		role := w.AddCustomRole(azuretest.Role{Permissions: []azuretest.Permission{p}})
		w.Assign(azuretest.Assignment{Scope: w.vault, Role: role, Principal: confluent})
	}
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: vaultReader, Principal: confluent})
}

func (w world) patch(properties map[string]any) {
	w.t.Helper()
	w.check(w.admin.UpdateVault(w.vault, properties))
}

func TestWhatTheClustersNeedOfAFirewall(t *testing.T) {
	deny := func(bypass string, ips ...string) *azuretest.Network {
		return &azuretest.Network{DefaultAction: "Deny", Bypass: bypass, IPs: ips}
	}
	for sentence, c := range map[string]struct {
		vault                 azuretest.VaultSpec
		dedicated, enterprise bool
	}{
		"none was ever set":                   {azuretest.VaultSpec{}, true, true},
		"all networks":                        {azuretest.VaultSpec{Network: &azuretest.Network{}}, true, true},
		"trusted services":                    {azuretest.VaultSpec{Network: deny("AzureServices")}, true, false},
		"nobody":                              {azuretest.VaultSpec{Network: deny("None")}, false, false},
		"somebody else's addresses":           {azuretest.VaultSpec{Network: deny("None", "203.0.113.0/24")}, false, false},
		"an address of Confluent's":           {azuretest.VaultSpec{Network: deny("None", "198.51.100.77")}, true, true},
		"no public access":                    {azuretest.VaultSpec{Public: "Disabled"}, true, false},
		"no public access, no bypass":         {azuretest.VaultSpec{Public: "Disabled", Network: &azuretest.Network{Bypass: "None"}}, false, false},
		"a perimeter, whatever bypass says":   {azuretest.VaultSpec{Public: "SecuredByPerimeter", Network: &azuretest.Network{}}, false, false},
		"all networks, though without bypass": {azuretest.VaultSpec{Network: &azuretest.Network{Bypass: "None"}}, true, true},
	} {
		c.vault.Name, c.vault.RBAC = "acme-vault", true
		w := openVault(t, azuretest.Options{}, c.vault)
		for kind, want := range map[string]bool{azuretest.Dedicated: c.dedicated, azuretest.Enterprise: c.enterprise} {
			if err := w.Works(confluent, kind, w.key); (err == nil) != want {
				t.Errorf("%s, %s: %v", sentence, kind, err)
			}
		}
	}
}

func TestAccessPoliciesCountWhereAzureRBACDoesNot(t *testing.T) {
	entry := func(keys ...string) azuretest.AccessPolicy {
		return azuretest.AccessPolicy{ObjectID: confluent, Keys: keys}
	}
	for sentence, c := range map[string]struct {
		policy azuretest.AccessPolicy
		works  bool
	}{
		"what it needs":              {entry("get", "wrapKey", "unwrapKey"), true},
		"in the portal's spelling":   {entry("Get", "List", "WrapKey", "UnwrapKey"), true},
		"all":                        {entry("All"), true},
		"not enough":                 {entry("get", "wrapKey"), false},
		"somebody else's":            {azuretest.AccessPolicy{ObjectID: nobody, Keys: []string{"all"}}, false},
		"that of a group":            {azuretest.AccessPolicy{ObjectID: others, Keys: []string{"all"}}, true},
		"that of a compound":         {azuretest.AccessPolicy{ObjectID: confluent, ApplicationID: name(1), Keys: []string{"all"}}, false},
		"that of another tenant":     {azuretest.AccessPolicy{ObjectID: confluent, TenantID: name(1), Keys: []string{"all"}}, false},
		"permissions on secrets":     {azuretest.AccessPolicy{ObjectID: confluent, Secrets: []string{"all"}}, false},
		"an empty list of them all":  {entry(), false},
		"with its object ID in caps": {azuretest.AccessPolicy{ObjectID: "C0FFEE00-1111-4222-8333-000000000001", Keys: []string{"all"}}, true},
	} {
		w := openVault(t, azuretest.Options{}, azuretest.VaultSpec{Name: "acme-vault", Policies: []azuretest.AccessPolicy{c.policy}})
		w.Join(others, confluent)
		// What Azure RBAC gives does not count here.
		w.Assign(azuretest.Assignment{Scope: w.vault, Role: encryptionUser, Principal: confluent})
		if err := w.Works(confluent, azuretest.Dedicated, w.key); (err == nil) != c.works {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}
