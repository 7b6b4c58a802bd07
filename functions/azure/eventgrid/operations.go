package eventgrid

import (
	"strings"

	"byokwatch/core"
)

// Operation is one kind of event that Decode makes Changes of.
type Operation struct {
	// Name is the event's data.operationName, which Azure writes in any case. An
	// event of Key Vault itself has none: there it is the event's type.
	Name string
	// Event is the event's type.
	Event string
	Kind  core.ChangeKind
	// Takes says that the operation by its nature takes access away.
	Takes bool
	Reach Reach
}

// Reach says which keys an operation touches, by the resource it was on.
type Reach string

const (
	// Scope: what is attached to a scope counts for every key at it or below it.
	Scope Reach = "scope"
	// Vault: what is done to a vault, or to a part of it that is no key, counts for
	// every key of that vault; what is done to a key, for that key.
	Vault Reach = "vault"
	// Everywhere: the resource does not say where it counts.
	Everywhere Reach = "everywhere"
)

// The types of events that tell of something done. Those of what failed or was
// cancelled end in Failure and Cancel:
// https://learn.microsoft.com/azure/event-grid/event-schema-subscriptions
const (
	writeSuccess  = "Microsoft.Resources.ResourceWriteSuccess"
	deleteSuccess = "Microsoft.Resources.ResourceDeleteSuccess"
	actionSuccess = "Microsoft.Resources.ResourceActionSuccess"
	// https://learn.microsoft.com/azure/event-grid/event-schema-key-vault
	accessPolicyChanged = "Microsoft.KeyVault.VaultAccessPolicyChanged"
)

// Operations is everything that Decode makes Changes of. A deployment's event
// subscriptions filter by this list: by type, and by data.operationName, for
// which Event Grid takes 25 values a filter.
//
//   - Assignments and deny assignments count at their scope and below it:
//     https://learn.microsoft.com/azure/role-based-access-control/scope-overview.
//     Deny assignments are made by Azure itself.
//   - A custom role may be assignable in several subscriptions and is edited
//     through any of them, so that its event touches every key:
//     https://learn.microsoft.com/azure/role-based-access-control/custom-roles
//   - vaults/write is every PUT and PATCH: access policies, the switch to Azure
//     RBAC, the firewall, tags. vaults/delete also removes the role assignments at
//     the vault and below it:
//     https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
//   - A vault's tags hold the owner's revocation, and can be written by an API of
//     their own: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources
//   - Key Vault's own event tells of access policies and of the switch to Azure
//     RBAC, but not who did it.
//
// Nothing tells of a key that is disabled, changed or deleted, of a group's
// members, nor of what is assigned to a management group: that is for the sweep.
var Operations = []Operation{
	{"Microsoft.Authorization/roleAssignments/write", writeSuccess, core.PolicyChange, false, Scope},
	{"Microsoft.Authorization/roleAssignments/delete", deleteSuccess, core.PolicyChange, true, Scope},
	{"Microsoft.Authorization/roleDefinitions/write", writeSuccess, core.PolicyChange, false, Everywhere},
	{"Microsoft.Authorization/roleDefinitions/delete", deleteSuccess, core.PolicyChange, false, Everywhere},
	{"Microsoft.Authorization/denyAssignments/write", writeSuccess, core.PolicyChange, true, Scope},
	{"Microsoft.Authorization/denyAssignments/delete", deleteSuccess, core.PolicyChange, false, Scope},

	{"Microsoft.KeyVault/vaults/write", writeSuccess, core.PolicyChange, false, Vault},
	{"Microsoft.KeyVault/vaults/accessPolicies/write", writeSuccess, core.PolicyChange, false, Vault},
	{"Microsoft.KeyVault/vaults/delete", deleteSuccess, core.StateChange, true, Vault},
	{"Microsoft.KeyVault/vaults/keys/write", writeSuccess, core.PolicyChange, false, Vault},
	{"Microsoft.Resources/tags/write", writeSuccess, core.PolicyChange, false, Vault},
	{"Microsoft.Resources/tags/delete", deleteSuccess, core.PolicyChange, false, Vault},

	{accessPolicyChanged, accessPolicyChanged, core.PolicyChange, false, Vault},
}

// lookup finds an operation by its name. Whatever done thing an event of Azure
// Resource Manager tells of, the operation says what it was.
func lookup(name string) (Operation, bool) {
	for _, o := range Operations {
		if strings.EqualFold(o.Name, name) {
			return o, true
		}
	}
	return Operation{}, false
}

// done says that an event of Azure Resource Manager tells of something that
// happened.
func done(eventType string) bool {
	return strings.EqualFold(eventType, writeSuccess) || strings.EqualFold(eventType, deleteSuccess) || strings.EqualFold(eventType, actionSuccess)
}
