package keyvault_test

import (
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/functions/azure/azuretest"
)

// What is read has the form that az prints: of its own accord where Azure
// Resource Manager's is another (az role assignment list, az role definition
// list), and Azure Resource Manager's otherwise.
// https://learn.microsoft.com/cli/azure/role/assignment#az-role-assignment-list-examples
// https://learn.microsoft.com/azure/role-based-access-control/role-definitions#role-definition-example
func TestDocumentsHaveTheFormThatAzPrints(t *testing.T) {
	day := time.Date(2026, 11, 2, 15, 4, 5, 600, time.UTC)
	w := open(t, azuretest.Options{Now: func() time.Time { return day }}, azuretest.VaultSpec{RBAC: true}, reading...)
	w.AddCustomRole(azuretest.Role{GUID: custom, Name: "<kafka> & more", Permissions: []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/wrap/action"}}}})
	w.Assign(azuretest.Assignment{Name: named, Scope: w.vault, Role: custom, Principal: cloudUser, Description: "caf\u00e9 \u2028"})
	w.Assign(azuretest.Assignment{Name: other, Scope: w.vault, Role: "8b54135c-b56d-4d72-a534-26097cfdc8d8", Principal: cloudUser, Condition: "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'x'"})
	p := w.read()
	sub, vault := w.Subscription(), w.vault
	for what, c := range map[string]struct{ got, want string }{
		"role assignments": {textOf(p, core.RoleAssignments, core.AssignedTo(w.payments.ID, cloudUser)), `[
  {
    "condition": null,
    "conditionVersion": null,
    "createdBy": "",
    "createdOn": "2026-11-02T15:04:05.0000006Z",
    "delegatedManagedIdentityResourceId": null,
    "description": "` + "caf\u00e9 \u2028" + `",
    "id": "` + vault + `/providers/Microsoft.Authorization/roleAssignments/` + named + `",
    "name": "` + named + `",
    "principalId": "` + cloudUser + `",
    "principalType": "ServicePrincipal",
    "roleDefinitionId": "` + sub + `/providers/Microsoft.Authorization/roleDefinitions/` + custom + `",
    "scope": "` + vault + `",
    "type": "Microsoft.Authorization/roleAssignments",
    "updatedBy": "",
    "updatedOn": "2026-11-02T15:04:05.0000006Z"
  },
  {
    "condition": "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'x'",
    "conditionVersion": "2.0",
    "createdBy": "",
    "createdOn": "2026-11-02T15:04:05.0000006Z",
    "delegatedManagedIdentityResourceId": null,
    "description": null,
    "id": "` + vault + `/providers/Microsoft.Authorization/roleAssignments/` + other + `",
    "name": "` + other + `",
    "principalId": "` + cloudUser + `",
    "principalType": "ServicePrincipal",
    "roleDefinitionId": "` + sub + `/providers/Microsoft.Authorization/roleDefinitions/8b54135c-b56d-4d72-a534-26097cfdc8d8",
    "scope": "` + vault + `",
    "type": "Microsoft.Authorization/roleAssignments",
    "updatedBy": "",
    "updatedOn": "2026-11-02T15:04:05.0000006Z"
  }
]`},
		"a role": {textOf(p, core.RoleDefinitions, "/providers/microsoft.authorization/roledefinitions/"+custom), `[
  {
    "assignableScopes": [
      "` + sub + `"
    ],
    "createdBy": null,
    "description": "",
    "id": "` + sub + `/providers/Microsoft.Authorization/roleDefinitions/` + custom + `",
    "name": "` + custom + `",
    "permissions": [
      {
        "actions": [],
        "dataActions": [
          "Microsoft.KeyVault/vaults/keys/wrap/action"
        ],
        "notActions": [],
        "notDataActions": []
      }
    ],
    "roleName": "<kafka> & more",
    "roleType": "CustomRole",
    "type": "Microsoft.Authorization/roleDefinitions",
    "updatedBy": null
  }
]`},
		"deny assignments": {textOf(p, core.DenyAssignments, w.payments.ID), "[]"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, c.got, c.want)
		}
	}
	// A condition inside a role's permissions is what Microsoft's models drop.
	text := textOf(p, core.RoleDefinitions, "/providers/microsoft.authorization/roledefinitions/8b54135c-b56d-4d72-a534-26097cfdc8d8")
	if !strings.Contains(text, `"roleType": "BuiltInRole"`) || !strings.Contains(text, `"conditionVersion": "2.0"`) {
		t.Errorf("role %s", text)
	}
	for _, part := range []string{"{\n  \"id\": \"" + vault + `"`, `"vaultUri": "https://acme-vault.vault.azure.net/"`, `"accessPolicies": []`, `"enableRbacAuthorization": true`} {
		if text := textOf(p, core.Vault, ""); !strings.Contains(text, part) {
			t.Errorf("the vault lacks %s: %s", part, text)
		}
	}
	for _, part := range []string{"{\n  \"id\": \"" + w.key + `"`, `"keyUriWithVersion": "https://acme-vault.vault.azure.net/keys/payments/`, `"kty": "RSA"`, `"created": ` + "1793631845"} {
		if text := textOf(p, core.VaultKey, ""); !strings.Contains(text, part) {
			t.Errorf("the key lacks %s: %s", part, text)
		}
	}
}

// Azure's API grows: what nobody knows yet is kept, and large numbers and odd
// texts with it.
func TestWhatNobodyKnowsYetIsKept(t *testing.T) {
	w := given(t, reading...)
	k := w.edited(func(_, body string) string {
		return strings.NewReplacer(`"properties":{`, `"properties":{"new<>":12345678901234567890.10,`, `"actions":`, `"newActions":["\u2028"],"actions":`).Replace(body)
	})
	p, err := k.Read(t.Context(), w.payments)
	w.check(err)
	for _, d := range p {
		if !strings.Contains(d.Text, `"new<>": 12345678901234567890.10`) {
			t.Errorf("%s: %s", d.Kind, d.Text)
		}
	}
	for _, kind := range []core.Kind{core.DenyAssignments, core.RoleDefinitions} {
		if !strings.Contains(textOf(p, kind, ""), `"newActions"`) {
			t.Errorf("%s: %s", kind, textOf(p, kind, ""))
		}
	}
}
