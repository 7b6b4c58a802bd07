package keyvault

import (
	"fmt"
	"strings"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

// The forms of what may enter a URL
// (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules,
// https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers).
var (
	keyID = pattern.New(`^((/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/resourcegroups/[\pL\pN_().-]{0,89}[\pL\pN_()-]` +
		`/providers/microsoft\.keyvault/vaults/([a-z][a-z0-9-]{1,22}[a-z0-9]))/keys/([a-z0-9-]{1,127})$`)
	guid    = pattern.New(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	version = pattern.New(`^[0-9a-f]{32}$`)
)

// address is the ID of a key and its parts, in lower case.
type address struct {
	key, vault, subscription string // IDs
	vaultName, name          string
}

// addressOf takes the ID of a key apart. The vault that the configuration names
// must be the one that the key is in.
func addressOf(k core.Key) (address, error) {
	m := keyID.FindStringSubmatch(k.ID)
	if m == nil {
		return address{}, fmt.Errorf("%q is not the ID of a key in Azure Key Vault: /subscriptions/ID/resourcegroups/GROUP/providers/microsoft.keyvault/vaults/VAULT/keys/KEY, in lower case", k.ID)
	}
	if k.Vault != "" && k.Vault != m[1] {
		return address{}, fmt.Errorf("the key %s is not in the vault %q", k.ID, k.Vault)
	}
	return address{key: m[0], vault: m[1], subscription: m[2], vaultName: m[3], name: m[4]}, nil
}

// What stands between the scope of an assignment or a role and its GUID.
const (
	ofAssignments = "/providers/Microsoft.Authorization/roleAssignments/"
	ofRoles       = "/providers/Microsoft.Authorization/roleDefinitions/"
	ofDenials     = "/providers/Microsoft.Authorization/denyAssignments/"
)

// below returns what follows a prefix, without regard to case; "" if nothing
// does. Azure writes the same ID in more than one way.
func below(id, prefix string) string {
	rest, ok := strings.CutPrefix(strings.ToLower(id), strings.ToLower(prefix))
	if !ok {
		return ""
	}
	return rest
}

// lastOf is the last part of an ID, in lower case.
func lastOf(id string) string {
	return strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])
}
