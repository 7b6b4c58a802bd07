package azurekv

import (
	"strings"
	"testing"

	"byokwatch/core"
)

func TestWhatExplainsALoss(t *testing.T) {
	crypto, reader, secrets := rigAssign(rigCrypto, rigVault), rigAssign(rigReader, rigVault), rigAssign("4633458b-17de-408a-b874-0445c86b69e6", rigVault)
	id := func(item string) string {
		r, err := readRow(item)
		if err != nil {
			t.Fatal(err)
		}
		return r.id
	}
	unassigned := rig(rigGiven(reader))
	conditioned := strings.Replace(crypto, `"condition": null, "conditionVersion": null`, `"condition": "`+rigLater+`", "conditionVersion": "2.0"`, 1)
	custom := "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/providers/microsoft.authorization/roledefinitions/" + rigCustom
	narrowed := rigRole(rigCustom, []string{rightVaultRead}, []string{"Microsoft.KeyVault/vaults/keys/read"})
	deny := rigDenies(rigDeny("99999999-9999-4999-8999-999999999999", "Microsoft.KeyVault/vaults/keys/*"))
	denyWrap := rigDenies(rigDeny("99999999-9999-4999-8999-999999999999", "Microsoft.KeyVault/vaults/keys/wrap/action"))
	denyID := rigVault + "/providers/microsoft.authorization/denyassignments/99999999-9999-4999-8999-999999999999"
	policies := rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "get", "unwrapKey", "wrapKey", "sign")))
	deleted := withText(rig(rigGiven()), core.Vault, rigVault, `{"properties": {"vaultId": "`+rigVault+`"}}`)
	shut := rigVaultDoc("networkAcls", `{"bypass": "None", "defaultAction": "Deny"}`)
	const assign, unassign, define, undefine = "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "Microsoft.Authorization/roleDefinitions/write", "Microsoft.Authorization/roleDefinitions/delete"
	for name, x := range map[string]struct {
		op, resource string
		live, good   core.Policy
		explains     bool
	}{
		"the assignment was deleted":                      {unassign, id(crypto), unassigned, rig(), true},
		"the assignment was deleted, in capitals":         {strings.ToUpper(unassign), strings.ToUpper(id(crypto)), unassigned, rig(), true},
		"another assignment was deleted":                  {unassign, rigVault + "/providers/microsoft.authorization/roleassignments/" + rigMallory, unassigned, rig(), false},
		"an assignment that gives nothing that is lost":   {unassign, id(secrets), unassigned, rig(rigGiven(crypto, reader, secrets)), false},
		"an assignment that is there":                     {unassign, id(reader), unassigned, rig(), false},
		"an assignment from above":                        {unassign, id(rigAssign(rigCrypto, rigSub)), unassigned, rig(rigGiven(rigAssign(rigCrypto, rigSub), reader)), true},
		"an assignment to a group":                        {unassign, id(rigAssign(rigCrypto, rigVault, rigTeam)), unassigned, rig(rigGiven(rigAssign(rigCrypto, rigVault, rigTeam), reader)), true},
		"an assignment of a role that nobody knows":       {unassign, id(rigAssign(rigMallory, rigVault)), unassigned, rig(rigGiven(crypto, rigAssign(rigMallory, rigVault))), true},
		"an assignment to the watchdog":                   {unassign, id(rigAssign(rigOwn, rigGroupID, rigSelf)), unassigned.With(core.Document{Kind: core.RoleAssignments, ID: rigSelfs, Text: "[]"}), rig(), false},
		"the assignment was written, and is gone":         {assign, id(crypto), unassigned, rig(), false},
		"the assignment was deleted, and is there":        {unassign, id(crypto), rig(rigGiven(conditioned, reader)), rig(), false},
		"the assignment got a condition":                  {assign, id(crypto), rig(rigGiven(conditioned, reader)), rig(), true},
		"the assignment was written as it was":            {assign, id(reader), unassigned, rig(), false},
		"an assignment was added":                         {assign, rigVault + "/providers/microsoft.authorization/roleassignments/" + rigMallory, unassigned, rig(), false},
		"the role was narrowed":                           {define, custom, rig(rigGiven(rigAssign(rigCustom, rigVault)), narrowed), rig(rigGiven(rigAssign(rigCustom, rigVault))), true},
		"the role was deleted":                            {undefine, custom, rig(rigGiven(rigAssign(rigCustom, rigVault)), core.Document{Kind: core.RoleDefinitions, ID: narrowed.ID, Text: "[]"}), rig(rigGiven(rigAssign(rigCustom, rigVault))), true},
		"the role was written, and is deleted":            {define, custom, rig(rigGiven(rigAssign(rigCustom, rigVault)), core.Document{Kind: core.RoleDefinitions, ID: narrowed.ID, Text: "[]"}), rig(rigGiven(rigAssign(rigCustom, rigVault))), false},
		"the role was changed in what nobody lost":        {define, custom, rig(rigGiven(), rigRole(rigCustom, []string{rightVaultRead, "a/b"}, []string{"Microsoft.KeyVault/vaults/keys/*"})), rig(rigGiven(rigAssign(rigCustom, rigVault))), false},
		"the role was written as it was":                  {define, custom, unassigned, rig(rigGiven(crypto, reader, rigAssign(rigCustom, rigVault))), false},
		"a role that Confluent does not have":             {define, custom, unassigned.With(narrowed), rig(), false},
		"a role whose definition can't be read":           {define, custom, rig(rigGiven(), core.Document{Kind: core.RoleDefinitions, ID: narrowed.ID, Unreadable: "access denied"}), rig(rigGiven(rigAssign(rigCustom, rigVault))), false},
		"a role that gave nothing that is lost":           {define, custom, rig(rigGiven(reader), rigRole(rigCustom, nil, []string{"a/b"})), rig(rigGiven(crypto, reader, rigAssign(rigCustom, rigVault)), rigRole(rigCustom, nil, []string{"a/b/*"})), false},
		"a deny assignment came":                          {"Microsoft.Authorization/denyAssignments/write", denyID, rig(deny), rig(), true},
		"a deny assignment of something else":             {"Microsoft.Authorization/denyAssignments/write", denyID, unassigned.With(rigDenies(rigDeny("99999999-9999-4999-8999-999999999999", "Microsoft.KeyVault/vaults/secrets/*"))), rig(), false},
		"a deny assignment to somebody else":              {"Microsoft.Authorization/denyAssignments/write", denyID, unassigned.With(core.Document{Kind: core.DenyAssignments, ID: rigKey, Text: strings.Replace(deny.Text, `"00000000-0000-0000-0000-000000000000", "type": "SystemDefined"`, `"`+rigMallory+`", "type": "User"`, 1)}), rig(), false},
		"a deny assignment that was there":                {"Microsoft.Authorization/denyAssignments/write", denyID, unassigned.With(denyWrap), rig(denyWrap), false},
		"another deny assignment":                         {"Microsoft.Authorization/denyAssignments/write", denyID + "0", rig(deny), rig(), false},
		"a deny assignment went":                          {"Microsoft.Authorization/denyAssignments/delete", denyID, unassigned, rig(denyWrap), false},
		"the vault was switched to access policies":       {"Microsoft.KeyVault/vaults/write", rigVault, rig(rigPolicies()), rig(), true},
		"the vault was switched to Azure RBAC":            {"Microsoft.KeyVault/vaults/write", rigVault, rig(rigGiven()), policies, true},
		"the access policy was narrowed":                  {"Microsoft.KeyVault/vaults/write", rigVault, rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "Get", "wrapKey"))), policies, true},
		"the access policy was removed by its own way":    {"Microsoft.KeyVault/vaults/accessPolicies/write", rigVault + "/accesspolicies/remove", rig(rigGiven(), rigPolicies()), policies, true},
		"access policies changed beside a shut firewall":  {"Microsoft.KeyVault/vaults/accessPolicies/write", rigVault + "/accesspolicies/add", rig(shut), rig(), false},
		"access policies changed beside the switch":       {"Microsoft.KeyVault/vaults/accessPolicies/write", rigVault + "/accesspolicies/add", rig(rigPolicies()), rig(), false},
		"access policies changed in another tenant":       {"Microsoft.KeyVault/vaults/accessPolicies/write", rigVault + "/accesspolicies/add", rig(rigGiven(), rigVaultDoc("tenantId", `"`+rigMallory+`"`)), rig(), false},
		"an access policy that gave all":                  {"Microsoft.KeyVault/vaults/write", rigVault, rig(rigGiven(), rigPolicies()), rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "all"))), true},
		"the vault was written as it was":                 {"Microsoft.KeyVault/vaults/write", rigVault, unassigned, rig(), false},
		"the vault's stored access policies changed":      {"Microsoft.KeyVault/vaults/write", rigVault, unassigned, rig(rigVaultDoc("accessPolicies", rigList(rigEntry(rigPrincipal, "get", "unwrapKey")))), false},
		"the firewall was shut":                           {"Microsoft.KeyVault/vaults/write", rigVault, rig(shut), rig(), true},
		"the firewall was shut, which took no assignment": {"Microsoft.KeyVault/vaults/write", rigVault, unassigned.With(rigVaultDoc("publicNetworkAccess", `"Disabled"`, "networkAcls", `{"bypass": "AzureServices"}`)), rig(), false},
		"the vault moved to another tenant":               {"Microsoft.KeyVault/vaults/write", rigVault, rig(rigGiven(), rigVaultDoc("tenantId", `"`+rigMallory+`"`)), rig(), true},
		"another vault was written":                       {"Microsoft.KeyVault/vaults/write", rigVault + "2", rig(rigPolicies()), rig(), false},
		"the vault was deleted":                           {"Microsoft.KeyVault/vaults/delete", rigVault, deleted, rig(), true},
		"the vault was deleted and recovered":             {"Microsoft.KeyVault/vaults/delete", rigVault, rig(rigGiven()), rig(), true},
		"it was deleted, and something is assigned on it": {"Microsoft.KeyVault/vaults/delete", rigVault, unassigned, rig(), false},
		"it was deleted, and all came from above":         {"Microsoft.KeyVault/vaults/delete", rigVault, rig(rigGiven()), rig(rigGiven(rigAssign(rigCrypto, rigSub))), false},
		"another vault was deleted":                       {"Microsoft.KeyVault/vaults/delete", rigVault + "2", rig(rigGiven()), rig(), false},
		"a key was created":                               {"Microsoft.KeyVault/vaults/keys/write", rigKey, unassigned, rig(), false},
		"nobody knows on what":                            {unassign, "", unassigned, rig(), false},
	} {
		t.Run(name, func(t *testing.T) {
			q := rigAsked(rigAsks(), x.live, x.good)
			good := Trim(x.good, q)
			lost := rigLost(x.live, good, q)
			if len(lost) == 0 {
				t.Fatal("nothing is lost")
			}
			if got := Explains(core.Change{Op: x.op, Resource: x.resource}, x.live, good, lost); got != x.explains {
				t.Errorf("%t", got)
			}
			if Explains(core.Change{Op: x.op, Resource: x.resource}, x.live, good, nil) {
				t.Error("it explains what is not lost")
			}
		})
	}
}
