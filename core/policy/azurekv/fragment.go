package azurekv

import (
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/rawjson"
)

// Fragment is what a person may add to give what is missing. Under Azure RBAC
// that is the role assignments, as resources of an ARM template that is deployed
// to the vault's resource group: of the two roles that Confluent asks for, those
// that are needed. In a vault with access policies it is Confluent's whole entry,
// since templates replace entries as a whole. [Unlock] says the same as commands.
// It is empty when nothing of Confluent's access is missing.
//
// Sources: https://learn.microsoft.com/azure/role-based-access-control/role-assignments-template,
// https://learn.microsoft.com/azure/templates/microsoft.keyvault/vaults#accesspolicyentry
func Fragment(q core.Question, missing []core.Requirement) string {
	at, err := addressOf(q.Key)
	if err != nil {
		return ""
	}
	principal, err := principalOf(q.Key)
	if err != nil {
		return ""
	}
	if !asksForRBAC(q, missing) {
		return entryFragment(q.Key, principal, missing)
	}
	var texts []string
	for _, role := range lackingRoles(principal, missing) {
		texts = append(texts, `
  {
    "type": "Microsoft.Authorization/roleAssignments",
    "apiVersion": "2022-04-01",
    "scope": `+rawjson.Quote("Microsoft.KeyVault/vaults/"+at.vault)+`,
    "name": `+rawjson.Quote(derivedName(at.vaultID, principal, role.ID))+`,
    "properties": {
      "roleDefinitionId": `+rawjson.Quote(at.definition(role.ID))+`,
      "principalId": `+rawjson.Quote(principal)+`,
      "principalType": "ServicePrincipal"
    }
  }`)
	}
	if len(texts) == 0 {
		return ""
	}
	return "[" + strings.Join(texts, ",") + "\n]\n"
}

func entryFragment(k core.Key, principal string, missing []core.Requirement) string {
	if !lacksKeyPermission(principal, missing) {
		return ""
	}
	tenant := "[subscription().tenantId]" // a template's own expression for it
	if guidGrammar.MatchString(k.Needs.Tenant) {
		tenant = k.Needs.Tenant
	}
	var keys []string
	for _, p := range confluent.AzureAccessPolicy() {
		keys = append(keys, "\n      "+rawjson.Quote(p))
	}
	return `{
  "tenantId": ` + rawjson.Quote(tenant) + `,
  "objectId": ` + rawjson.Quote(principal) + `,
  "permissions": {
    "keys": [` + strings.Join(keys, ",") + `
    ]
  }
}
`
}

// asksForRBAC is the permission model that the needs are about, which is the
// snapshot's where there is one: only under Azure RBAC must Confluent be able to
// read the vault.
func asksForRBAC(q core.Question, missing []core.Requirement) bool {
	for _, r := range slices.Concat(q.Needs, missing) {
		if r.Aspect == core.Access && r.Permission == confluent.AzureVaultRead {
			return r.Severity == core.Critical
		}
	}
	return true
}

// lackingRoles lists the roles that give what Confluent lacks: one of them if
// that does, else all.
func lackingRoles(principal string, missing []core.Requirement) []confluent.AzureRole {
	var lacks []string
	for _, r := range missing {
		if r.Aspect == core.Access && r.Principal == principal {
			lacks = append(lacks, r.Permission)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	for _, role := range confluent.AzureRoles() {
		if !slices.ContainsFunc(lacks, func(p string) bool { return !slices.Contains(role.Permissions, p) }) {
			return []confluent.AzureRole{role}
		}
	}
	return confluent.AzureRoles()
}

// lacksKeyPermission says that Confluent lacks something that an access policy
// gives.
func lacksKeyPermission(principal string, missing []core.Requirement) bool {
	return slices.ContainsFunc(missing, func(r core.Requirement) bool {
		return r.Aspect == core.Access && r.Principal == principal && confluent.AzureKeyPermission(r.Permission) != ""
	})
}
