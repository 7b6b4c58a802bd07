package azurekv

import "byokwatch/core"

// RBAC says which permission model a policy of a key shows: Azure RBAC, also
// where it shows none, or the vault's access policies.
func RBAC(k core.Key, p core.Policy) bool { return rbacIn(k, p) }
