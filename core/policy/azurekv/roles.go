package azurekv

import (
	"slices"

	"byokwatch/core/policy/wording"
)

// dataAccessCondition is the condition within Key Vault Data Access
// Administrator: it may assign eight roles of Key Vault, Confluent's two among
// them. Azure's client library leaves conditions of definitions out, so that it
// has to be known here.
const dataAccessCondition = `((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{` + dataAccessRoles + `})) AND ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{` + dataAccessRoles + `}))`

const dataAccessRoles = `00482a5a-887f-4fb3-b363-3b7fe8e74483, a4417e6f-fecd-4de8-b567-7b0420556985, 14b46e9e-c2b7-41b4-b07b-48a6ebf60603, e147488a-f6f5-4113-8e2d-b22465e65bf6, 12338af0-0e69-4776-bea7-57ae8d297424, 21090545-7ca7-4776-b22c-e363652d74d2, b86a8fe4-44ce-4948-aee5-eccb2c155cd7, 4633458b-17de-408a-b874-0445c86b69e6`

// builtin is what Azure's own roles give, as far as it can matter to a key or its
// vault: actions of other services are left out. All of it is folded.
//
// Sources: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security,
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged,
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/general,
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/management-and-governance
func builtin(guid string) (role, bool) {
	const (
		readRoles = "microsoft.authorization/*/read"
		readVault = "microsoft.keyvault/vaults/*/read"
	)
	all := func(list ...string) []string { return list }
	is := func(name string, p permission) (role, bool) {
		return role{ID: guid, Name: name, Permissions: []permission{p}}, true
	}
	switch guid {
	case "8e3af657-a8ff-443c-a75c-2fe8c4bcb635":
		return is("Owner", permission{Actions: all("*")})
	case "b24988ac-6180-42a0-ab88-20f7382dd24c":
		return is("Contributor", permission{Actions: all("*"), NotActions: all("microsoft.authorization/*/delete", "microsoft.authorization/*/write", "microsoft.authorization/elevateaccess/action")})
	case "acdd72a7-3385-48ef-bd42-f606fba81ae7":
		return is("Reader", permission{Actions: all("*/read")})
	case "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9":
		return is("User Access Administrator", permission{Actions: all("*/read", "microsoft.authorization/*")})
	case "f58310d9-a9f6-439a-9e8d-f62e7b41a168":
		return is("Role Based Access Control Administrator", permission{Actions: all("microsoft.authorization/roleassignments/write", "microsoft.authorization/roleassignments/delete", "*/read")})
	case "00482a5a-887f-4fb3-b363-3b7fe8e74483":
		return is("Key Vault Administrator", permission{Actions: all(readRoles, readVault), DataActions: all("microsoft.keyvault/vaults/*")})
	case "21090545-7ca7-4776-b22c-e363652d74d2":
		return is("Key Vault Reader", permission{Actions: all(readRoles, readVault), DataActions: all("microsoft.keyvault/vaults/*/read", "microsoft.keyvault/vaults/secrets/readmetadata/action")})
	case "14b46e9e-c2b7-41b4-b07b-48a6ebf60603":
		return is("Key Vault Crypto Officer", permission{Actions: all(readRoles, readVault), DataActions: all("microsoft.keyvault/vaults/keys/*", "microsoft.keyvault/vaults/keyrotationpolicies/*")})
	case "e147488a-f6f5-4113-8e2d-b22465e65bf6":
		return is("Key Vault Crypto Service Encryption User", permission{DataActions: all("microsoft.keyvault/vaults/keys/read", "microsoft.keyvault/vaults/keys/wrap/action", "microsoft.keyvault/vaults/keys/unwrap/action")})
	case "12338af0-0e69-4776-bea7-57ae8d297424":
		return is("Key Vault Crypto User", permission{DataActions: all("microsoft.keyvault/vaults/keys/read", "microsoft.keyvault/vaults/keys/update/action", "microsoft.keyvault/vaults/keys/backup/action",
			"microsoft.keyvault/vaults/keys/encrypt/action", "microsoft.keyvault/vaults/keys/decrypt/action", "microsoft.keyvault/vaults/keys/wrap/action",
			"microsoft.keyvault/vaults/keys/unwrap/action", "microsoft.keyvault/vaults/keys/sign/action", "microsoft.keyvault/vaults/keys/verify/action")})
	case "08bbd89e-9f13-488c-ac41-acfcb10c90ab":
		return is("Key Vault Crypto Service Release User", permission{DataActions: all("microsoft.keyvault/vaults/keys/release/action")})
	case "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba":
		return is("Key Vault Certificate User", permission{DataActions: all("microsoft.keyvault/vaults/certificates/read", "microsoft.keyvault/vaults/secrets/getsecret/action", "microsoft.keyvault/vaults/secrets/readmetadata/action", "microsoft.keyvault/vaults/keys/read")})
	case "a4417e6f-fecd-4de8-b567-7b0420556985":
		return is("Key Vault Certificates Officer", permission{Actions: all(readRoles, readVault), DataActions: all("microsoft.keyvault/vaults/certificatecas/*", "microsoft.keyvault/vaults/certificates/*", "microsoft.keyvault/vaults/certificatecontacts/write")})
	case "b86a8fe4-44ce-4948-aee5-eccb2c155cd7":
		return is("Key Vault Secrets Officer", permission{Actions: all(readRoles, readVault), DataActions: all("microsoft.keyvault/vaults/secrets/*")})
	case "4633458b-17de-408a-b874-0445c86b69e6":
		return is("Key Vault Secrets User", permission{DataActions: all("microsoft.keyvault/vaults/secrets/getsecret/action", "microsoft.keyvault/vaults/secrets/readmetadata/action")})
	case "f25e0fa2-a7c8-4377-a976-54943a77a395":
		return is("Key Vault Contributor", permission{Actions: all(readRoles, "microsoft.keyvault/*"), NotActions: all("microsoft.keyvault/locations/deletedvaults/purge/action", "microsoft.keyvault/hsmpools/*", "microsoft.keyvault/managedhsms/*")})
	case "8b54135c-b56d-4d72-a534-26097cfdc8d8":
		return is("Key Vault Data Access Administrator", permission{Actions: all("microsoft.authorization/roleassignments/write", "microsoft.authorization/roleassignments/delete", readRoles, readVault), Condition: dataAccessCondition, ConditionVersion: "2.0"})
	}
	return role{}, false
}

// Builtin says that the judge knows by itself what a role gives, so that nobody
// needs to read its definition. guid is the role definition's own ID.
func Builtin(guid string) bool {
	_, ok := builtin(wording.Lower(guid))
	return ok
}

// role is a definition that was given, else a built-in one. Azure's tools leave
// the conditions of built-in roles out: that of one which is known here still
// holds, and of others nobody knows which roles they may assign. Of custom roles
// with conditions no page speaks.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security#key-vault-data-access-administrator
func (f *file) role(guid string) (role, bool) {
	known, ok := builtin(guid)
	given, told := f.roles[guid]
	switch {
	case !told:
		return known, ok
	case given.gone:
		return given, true
	case !ok:
		given.veiled = !given.Custom
		return given, true
	}
	for _, p := range known.Permissions {
		for i := range given.Permissions {
			if given.Permissions[i].Condition == "" && p.Condition != "" {
				given.Permissions = slices.Clone(given.Permissions)
				given.Permissions[i].Condition, given.Permissions[i].ConditionVersion = p.Condition, p.ConditionVersion
			}
		}
	}
	return given, true
}
