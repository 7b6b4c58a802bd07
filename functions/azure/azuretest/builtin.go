package azuretest

// Actions that several built-in roles share.
var readsVaults = []string{
	"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/deployments/*",
	"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*", "Microsoft.KeyVault/checkNameAvailability/read",
	"Microsoft.KeyVault/deletedVaults/read", "Microsoft.KeyVault/locations/*/read", "Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/operations/read",
}

// ofVaults limits role assignments to those of eight roles of Key Vault.
const ofVaults = `((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{` +
	vaultRoles + `})) AND ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{` +
	vaultRoles + `}))`

const vaultRoles = `00482a5a-887f-4fb3-b363-3b7fe8e74483, a4417e6f-fecd-4de8-b567-7b0420556985, 14b46e9e-c2b7-41b4-b07b-48a6ebf60603, e147488a-f6f5-4113-8e2d-b22465e65bf6, ` +
	`12338af0-0e69-4776-bea7-57ae8d297424, 21090545-7ca7-4776-b22c-e363652d74d2, b86a8fe4-44ce-4948-aee5-eccb2c155cd7, 4633458b-17de-408a-b874-0445c86b69e6`

func one(actions, dataActions []string) []Permission {
	return []Permission{{Actions: actions, DataActions: dataActions}}
}

// builtins are the built-in roles of this emulator, in the words of
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security,
// …/privileged, …/general, …/storage and …/management-and-governance. Azure has
// hundreds more.
var builtins = []Role{
	{GUID: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", Name: "Owner", Permissions: one([]string{"*"}, nil)},
	{GUID: "b24988ac-6180-42a0-ab88-20f7382dd24c", Name: "Contributor", Permissions: []Permission{{Actions: []string{"*"}, NotActions: []string{
		"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action",
		"Microsoft.Blueprint/blueprintAssignments/write", "Microsoft.Blueprint/blueprintAssignments/delete", "Microsoft.Compute/galleries/share/action",
		"Microsoft.Purview/consents/write", "Microsoft.Purview/consents/delete", "Microsoft.Resources/deploymentStacks/manageDenySetting/action"}}}},
	{GUID: "acdd72a7-3385-48ef-bd42-f606fba81ae7", Name: "Reader", Permissions: one([]string{"*/read"}, nil)},
	{GUID: "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", Name: "User Access Administrator", Permissions: one([]string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"}, nil)},
	{GUID: "f58310d9-a9f6-439a-9e8d-f62e7b41a168", Name: "Role Based Access Control Administrator", Permissions: one([]string{
		"Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "*/read", "Microsoft.Support/*"}, nil)},
	{GUID: "4a9ae827-6dc8-4573-8ac7-8239d42aa03f", Name: "Tag Contributor", Permissions: one([]string{
		"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read",
		"Microsoft.Resources/subscriptions/resourceGroups/resources/read", "Microsoft.Resources/subscriptions/resources/read", "Microsoft.Resources/tags/*", "Microsoft.Support/*"}, nil)},
	{GUID: "00482a5a-887f-4fb3-b363-3b7fe8e74483", Name: "Key Vault Administrator", Permissions: one(readsVaults, []string{"Microsoft.KeyVault/vaults/*"})},
	{GUID: "21090545-7ca7-4776-b22c-e363652d74d2", Name: "Key Vault Reader", Permissions: one(readsVaults, []string{
		"Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"})},
	{GUID: "14b46e9e-c2b7-41b4-b07b-48a6ebf60603", Name: "Key Vault Crypto Officer", Permissions: one(readsVaults, []string{
		"Microsoft.KeyVault/vaults/keys/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"})},
	{GUID: "12338af0-0e69-4776-bea7-57ae8d297424", Name: "Key Vault Crypto User", Permissions: one(nil, []string{
		"Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/update/action", "Microsoft.KeyVault/vaults/keys/backup/action",
		"Microsoft.KeyVault/vaults/keys/encrypt/action", "Microsoft.KeyVault/vaults/keys/decrypt/action", "Microsoft.KeyVault/vaults/keys/wrap/action",
		"Microsoft.KeyVault/vaults/keys/unwrap/action", "Microsoft.KeyVault/vaults/keys/sign/action", "Microsoft.KeyVault/vaults/keys/verify/action"})},
	{GUID: "e147488a-f6f5-4113-8e2d-b22465e65bf6", Name: "Key Vault Crypto Service Encryption User", Permissions: one(
		[]string{"Microsoft.EventGrid/eventSubscriptions/write", "Microsoft.EventGrid/eventSubscriptions/read", "Microsoft.EventGrid/eventSubscriptions/delete"},
		[]string{"Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/wrap/action", "Microsoft.KeyVault/vaults/keys/unwrap/action"})},
	{GUID: "f25e0fa2-a7c8-4377-a976-54943a77a395", Name: "Key Vault Contributor", Permissions: []Permission{{
		Actions: []string{"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.KeyVault/*", "Microsoft.Resources/deployments/*",
			"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*"},
		NotActions: []string{"Microsoft.KeyVault/locations/deletedVaults/purge/action", "Microsoft.KeyVault/hsmPools/*", "Microsoft.KeyVault/managedHsms/*"}}}},
	{GUID: "8b54135c-b56d-4d72-a534-26097cfdc8d8", Name: "Key Vault Data Access Administrator", Permissions: []Permission{{
		Actions: []string{"Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "Microsoft.Authorization/*/read",
			"Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Resources/subscriptions/read",
			"Microsoft.Management/managementGroups/read", "Microsoft.Support/*", "Microsoft.KeyVault/vaults/*/read"},
		Condition: ofVaults}}},
	{GUID: "ba92f5b4-2d11-453d-a403-e96b0029c9fe", Name: "Storage Blob Data Contributor", Permissions: one(
		[]string{"Microsoft.Storage/storageAccounts/blobServices/containers/delete", "Microsoft.Storage/storageAccounts/blobServices/containers/read",
			"Microsoft.Storage/storageAccounts/blobServices/containers/write", "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"},
		[]string{blobDelete, blobRead, blobWrite, blobMove, blobAdd})},
	{GUID: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", Name: "Storage Blob Data Reader", Permissions: one(
		[]string{"Microsoft.Storage/storageAccounts/blobServices/containers/read", "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"},
		[]string{blobRead})},
}

// Data actions on blobs
// (https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory).
const (
	blobs      = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"
	blobRead   = blobs + "read"
	blobWrite  = blobs + "write"
	blobAdd    = blobs + "add/action"
	blobDelete = blobs + "delete"
	blobMove   = blobs + "move/action"
)

// builtin finds a built-in role by its GUID or name.
func builtin(role string) *Role {
	role = last(fold(role))
	for i := range builtins {
		if builtins[i].GUID == role || fold(builtins[i].Name) == "/"+role {
			return &builtins[i]
		}
	}
	return nil
}
