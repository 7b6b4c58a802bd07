package azurekv

import (
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
)

func TestDifferences(t *testing.T) {
	base := rig(rigVaultDoc("accessPolicies", rigList(rigEntry(rigMallory, "get"))))
	policies := rig(rigPolicies(rigEntry(rigPrincipal, "get", "unwrapKey"), rigEntry(rigMallory, "get")))
	az := `{"key": {"kid": "https://acme-vault.vault.azure.net/keys/payments/` + rigTwo + `", "kty": "rsa-hsm", "key_ops": ["unwrapKey", "wrapkey"]}, "attributes": {"enabled": true, "expires": null}}`
	deleted := `{"properties": {"vaultId": "` + rigVault + `"}}`
	const group, officer = "group cccccccc-3333-4ccc-8ccc-cccccccccccc", "Key Vault Crypto Officer"
	for name, x := range map[string]struct {
		from, to core.Policy
		want     []string
	}{
		"nothing": {base, base, nil},
		"order, case, names, dates and forms": {base, base.With(rigGiven(rigAssign(rigReader, strings.Replace(rigVault, "resourcegroups", "resourceGroups", 1)), strings.Replace(rigAssign(rigCrypto, rigVault), "ServicePrincipal", "serviceprincipal", 1)),
			core.Document{Kind: core.VaultKey, ID: rigKey, Text: az}, rigVaultDoc("accessPolicies", rigList(rigEntry(strings.ToUpper(rigMallory), "GET")), "publicNetworkAccess", `"enabled"`)), nil},
		"Confluent loses a role, a group gets one": {base, base.With(rigGiven(rigAssign(rigCrypto, rigVault), rigAssign(rigOfficer, rigSub, rigTeam))), []string{
			"withdraws : service principal <confluent> no longer has Key Vault Reader at the vault", "admits " + rigTeam + ": " + group + " has " + officer + " at the subscription"}},
		"a group gets what opens no key": {base, base.With(rigGiven(rigAssign(rigCrypto, rigVault), rigAssign(rigReader, rigVault), rigAssign("acdd72a7-3385-48ef-bd42-f606fba81ae7", rigSub, rigTeam))), []string{
			"other : " + group + " has Reader at the subscription"}},
		"a group may let itself in": {base, base.With(rigGiven(rigAssign(rigCrypto, rigVault), rigAssign(rigReader, rigVault), rigAssign("f25e0fa2-a7c8-4377-a976-54943a77a395", rigGroupID, rigTeam))), []string{
			"admits " + rigTeam + ": " + group + " has Key Vault Contributor at resource group kafka-prod"}},
		"a role that nobody knows": {base, base.With(rigGiven(rigAssign(rigCrypto, rigVault), rigAssign(rigReader, rigVault), rigAssign(rigMallory, rigKey, rigTeam))), []string{
			"admits " + rigTeam + ": " + group + " has role " + rigMallory + " at the key"}},
		"a condition comes": {base, base.With(rigGiven(rigAssign(rigCrypto, rigVault, rigLater), rigAssign(rigReader, rigVault))), []string{
			"withdraws : service principal <confluent> no longer has Key Vault Crypto Service Encryption User at the vault",
			"admits <confluent>: service principal <confluent> has Key Vault Crypto Service Encryption User at the vault where " + rigLater}},
		"a whole list goes": {base, slices.DeleteFunc(slices.Clone(base), func(d core.Document) bool { return d.ID == rigSelfs }), []string{
			"withdraws : service principal " + rigSelf + ` no longer has "role dddddddd-5555" at resource group kafka-prod`}},
		"access policies": {policies, rig(rigPolicies(rigEntry(rigPrincipal, "Get"), rigEntry(rigMallory, "get", "unwrapkey", "purge"))), []string{
			"withdraws : <confluent> no longer has unwrapKey on keys by an access policy", "admits " + rigMallory + ": " + rigMallory + " has purge, unwrapKey on keys by an access policy"}},
		"an access policy for an application": {policies, rig(rigPolicies(rigEntry(rigPrincipal, "get", "unwrapKey"), rigEntry(rigMallory, "get"), strings.Replace(rigEntry(rigMallory, "wrapKey"), `"permissions"`, `"applicationId": "`+rigTeam+`", "permissions"`, 1))), []string{
			"admits " + rigMallory + ": " + rigMallory + " through application " + rigTeam + " has wrapKey on keys by an access policy"}},
		"access policies that do not count": {base, base.With(rigVaultDoc("accessPolicies", rigList(rigEntry(rigMallory, "sign")))), []string{
			"other : " + rigMallory + " no longer has get on keys by an access policy, which does not count under Azure RBAC", "other : " + rigMallory + " has sign on keys by an access policy, which does not count under Azure RBAC"}},
		"the switch, which lets somebody in": {base, rig(rigPolicies(rigEntry(rigMallory, "get"))), []string{
			"admits " + rigMallory + ": " + rigMallory + " has get on keys by an access policy",
			"other : the vault was switched from Azure RBAC to access policies: role assignments no longer count on keys"}},
		"the switch, which locks everybody out": {policies, base, []string{
			"withdraws : <confluent> no longer has get, unwrapKey on keys by an access policy", "withdraws : " + rigMallory + " no longer has get on keys by an access policy",
			"other : the vault was switched from access policies to Azure RBAC: access policies no longer count"}},
		"a role is gutted": {base, base.With(rigRole(rigCustom, []string{rightVaultRead}, []string{"Microsoft.KeyVault/vaults/keys/read"})), []string{
			`withdraws : role "role dddddddd-4444" no longer says data action microsoft.keyvault/vaults/keys/unwrap/action, data action microsoft.keyvault/vaults/keys/wrap/action`}},
		"a role grows": {base, base.With(rigRole(rigCustom, []string{rightVaultRead, "*"}, []string{"Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/wrap/action", "Microsoft.KeyVault/vaults/keys/unwrap/action"})), []string{
			`admits whoever has "role dddddddd-4444": role "role dddddddd-4444" now says action *`}},
		"a role is deleted": {base, base.With(core.Document{Kind: core.RoleDefinitions, ID: "/providers/microsoft.authorization/roledefinitions/" + rigCustom, Text: "[]"}), []string{
			`withdraws : role "role dddddddd-4444" is deleted`}},
		"a role is not read any more": {base, slices.DeleteFunc(slices.Clone(base), func(d core.Document) bool { return strings.HasSuffix(d.ID, rigCustom) }), nil},
		"a deny assignment comes": {base, base.With(rigDenies(rigDeny("9", "Microsoft.KeyVault/*"))), []string{
			`forbids : denied by deny assignment "Deny assignment of a stack" at <vault>: data action microsoft.keyvault/* to everybody`}},
		"a deny assignment goes": {base.With(rigDenies(strings.Replace(rigDeny("9", "Microsoft.KeyVault/*"), `"excludePrincipals": []`, `"excludePrincipals": [{"id": "`+rigPrincipal+`", "type": "ServicePrincipal"}]`, 1))), base, []string{
			`loses-deny : no longer denied by deny assignment "Deny assignment of a stack" at <vault>: data action microsoft.keyvault/* to everybody, but not to <confluent>`}},
		"network rules": {base, base.With(rigVaultDoc("networkAcls", `{"bypass": "None", "defaultAction": "Deny"}`, "publicNetworkAccess", `"SecuredByPerimeter"`, "accessPolicies", rigList(rigEntry(rigMallory, "get")))), []string{
			"other : the vault's bypass was not set and is None", "other : the vault's default action was not set and is Deny", "other : the vault's public network access was Enabled and is SecuredByPerimeter"}},
		"the tenant, and purge protection": {base, base.With(rigVaultDoc("tenantId", `"`+rigMallory+`"`, "enablePurgeProtection", "null", "accessPolicies", rigList(rigEntry(rigMallory, "get")))), []string{
			"other : the vault was in tenant " + rigTenant + " and is in " + rigMallory, "other : purge protection was on and is off"}},
		"the revocation": {base, base.With(rigVaultDoc("tags", `{"byokwatch-revoked": "payments", "byokwatch-revoked-reason": "SEC-812", "team": "x"}`, "accessPolicies", rigList(rigEntry(rigMallory, "get")))), []string{
			"other : the tag byokwatch-revoked=payments is set", "other : the tag byokwatch-revoked-reason=SEC-812 is set"}},
		"the revocation ends":    {rig(rigVaultDoc("tags", `{"Byokwatch-Revoked": "*"}`)), rig(), []string{"other : the tag byokwatch-revoked=* is gone"}},
		"the vault is deleted":   {base, withText(base, core.Vault, rigVault, deleted), []string{"other : the vault is deleted, and with it every role assignment below it"}},
		"the vault is recovered": {withText(base, core.Vault, rigVault, deleted), base, []string{"other : the vault is recovered"}},
		"it stays deleted":       {withText(base, core.Vault, rigVault, deleted), withText(base, core.Vault, rigVault, deleted+" "), nil},
		"the key": {base, withText(base, core.VaultKey, rigKey, strings.NewReplacer(rigTwo, rigOne, `"enabled": true`, `"enabled": false, "exp": 1798761600`, "RSA-HSM", "EC-HSM", `"wrapKey"`, `"sign"`).Replace(rigKeyText(rigTwo, true))), []string{
			"other : the current version was " + rigTwo + " and is " + rigOne, "other : the key was enabled and is disabled", "other : the key was of type RSA-HSM and is of type EC-HSM",
			"other : the key no longer permits wrapkey", "other : the key now permits sign", "other : the key's validity ends 2027-01-01T00:00:00Z in the place of never"}},
		"the key is deleted":   {base, withText(base, core.VaultKey, rigKey, `{"error": {"code": "KeyNotFound"}}`), []string{"other : the key is deleted"}},
		"the key is recovered": {withText(base, core.VaultKey, rigKey, `{"error": {"code": "KeyNotFound"}}`), base, []string{"other : the key is recovered"}},
		"versions": {base, base.With(rigVersionsDoc("disabled", "enabled", "enabled")), []string{
			"other : version " + rigOne + " was enabled and is disabled", "other : version " + strings.Repeat("3", 32) + " is new and enabled"}},
		"a version goes": {base, base.With(rigVersionsDoc("enabled")), []string{"other : version " + rigTwo + ", which was enabled, is no longer listed"}},
		"what can't be read": {base, base.With(core.Document{Kind: core.DenyAssignments, ID: rigKey, Unreadable: "access denied"}), []string{
			"other : the list of deny assignments: it was readable and is unreadable (access denied)"}},
		"what does not parse": {base, withText(base, core.RoleAssignments, rigConfluents, `[1]`), []string{
			"other : the list of what is assigned to <confluent> can't be compared: role assignment 0: a value that begins with { is needed, not number"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range Diff(x.from, x.to) {
				got = append(got, rigShort.Replace(string(d.Change)+" "+d.Principal+": "+d.Text))
			}
			for i, w := range x.want {
				x.want[i] = rigShort.Replace(w)
			}
			if !slices.Equal(got, x.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(x.want, "\n"))
			}
		})
	}
}

// TestATrimmedLoopSeesNothingNew: a snapshot holds only what reaches Confluent, and
// live is compared trimmed as well; what others have is no difference.
func TestATrimmedLoopSeesNothingNew(t *testing.T) {
	was := rig(rigVaultDoc("accessPolicies", rigList(rigEntry(rigMallory, "get"))))
	is := rig(rigVaultDoc("accessPolicies", "[]", "networkAcls", `{"ipRules": [{"value": "0.0.0.0/0"}]}`), core.Document{Kind: core.RoleAssignments, ID: rigSelfs, Text: "[]"},
		rigDenies(rigDeny("9", "Microsoft.Storage/*")))
	q := rigAsked(rigAsks(), was, nil)
	if d := Diff(Trim(was, q), Trim(is, q)); len(d) > 0 {
		t.Errorf("%+v", d)
	}
	// A new principal that Confluent's access comes through is one.
	is = rig(rigGiven(rigAssign(rigCrypto, rigVault), rigAssign(rigReader, rigVault), rigAssign(rigOfficer, rigSub, rigTeam)))
	if d := Diff(Trim(was, q), Trim(is, q)); len(d) != 1 || d[0].Change != core.Admits || d[0].Principal != rigTeam {
		t.Errorf("%+v", d)
	}
}
