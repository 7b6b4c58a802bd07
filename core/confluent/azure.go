package confluent

import "byokwatch/core"

// What Confluent's service principal does with a key: the data actions on the
// key, and the management action by which it looks at the vault.
const (
	AzureKeyRead   = "Microsoft.KeyVault/vaults/keys/read"
	AzureKeyWrap   = "Microsoft.KeyVault/vaults/keys/wrap/action"
	AzureKeyUnwrap = "Microsoft.KeyVault/vaults/keys/unwrap/action"
	AzureVaultRead = "Microsoft.KeyVault/vaults/read"
)

// AzurePermissions lists what Confluent's service principal needs, in the order
// in which people read about it. AzureVaultRead is a management action, all
// others are data actions; the two roles that Confluent asks for give both.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-azure.html
func AzurePermissions() []Permission {
	return []Permission{
		{AzureKeyUnwrap, core.Critical},
		{AzureKeyWrap, core.Critical},
		{AzureKeyRead, core.Critical},
		{AzureVaultRead, core.Critical},
	}
}

// AzureRole is one of the two built-in roles that Confluent asks its customers
// to assign at the vault, and the required permissions that it gives, which are
// not all that it gives.
type AzureRole struct {
	ID          string // GUID of the role definition, the same in every tenant
	Name        string
	Permissions []string
}

// AzureRoles are the two roles that Confluent's own snippet assigns to its
// service principal, with the vault as scope. Nobody but Microsoft changes them.
//
// Sources: https://github.com/confluentinc/cli (internal/byok/command_create.go),
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
func AzureRoles() []AzureRole {
	return []AzureRole{
		{"e147488a-f6f5-4113-8e2d-b22465e65bf6", "Key Vault Crypto Service Encryption User", []string{AzureKeyRead, AzureKeyWrap, AzureKeyUnwrap}},
		{"21090545-7ca7-4776-b22c-e363652d74d2", "Key Vault Reader", []string{AzureKeyRead, AzureVaultRead}},
	}
}

// AzureKeyPermission is what a data action is called in a vault access policy; ""
// for what access policies do not give.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/rbac-migration
func AzureKeyPermission(action string) string {
	switch action {
	case AzureKeyRead:
		return "get"
	case AzureKeyWrap:
		return "wrapKey"
	case AzureKeyUnwrap:
		return "unwrapKey"
	}
	return ""
}

// AzureAccessPolicy is the access policy that stands in for the first of
// [AzureRoles] in a vault without Azure RBAC. Confluent needs no list; it is part
// of what customers are told to give.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/rbac-migration
func AzureAccessPolicy() []string { return []string{"get", "list", "unwrapKey", "wrapKey"} }

// The kinds of cluster, which differ in the network that the vault must let in.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-azure.html
const (
	// AzureDedicated reaches the vault through Azure's own services: all networks,
	// or trusted Microsoft services, must pass the vault's firewall.
	AzureDedicated = "dedicated"
	// AzureEnterprise reaches it over public addresses: all networks must pass.
	AzureEnterprise = "enterprise"
)

// AzureKeyTypes are the only types of key that Confluent takes.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-azure.html
func AzureKeyTypes() []string { return []string{"RSA", "RSA-HSM"} }

// AzureKeyOperations are those that the key must permit, in the words of its
// key_ops.
//
// Source: https://github.com/confluentinc/terraform-provider-confluent/tree/master/examples/configurations/dedicated-public-azure-byok-kafka-acls
func AzureKeyOperations() []string { return []string{"wrapKey", "unwrapKey"} }
