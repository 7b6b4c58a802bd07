package azurekv

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

// The properties of a vault and its key that are asked about.
const (
	vaultTenant     = "vault:tenant"
	vaultNetwork    = "vault:network"
	vaultPurge      = "vault:purge-protection"
	keyEnabled      = "key:enabled"
	keyType         = "key:type"
	keyOperations   = "key:operations"
	keyValidity     = "key:validity"
	versionPrefix   = "version:"
	enabledSuffix   = ":enabled"
	rightVaultRead  = confluent.AzureVaultRead
	rightKeyRead    = "Microsoft.KeyVault/vaults/keys/read" // as a management action
	rightListKeys   = "Microsoft.KeyVault/vaults/keys/versions/read"
	rightAssigned   = "Microsoft.Authorization/roleAssignments/read"
	rightRoles      = "Microsoft.Authorization/roleDefinitions/read"
	rightDenied     = "Microsoft.Authorization/denyAssignments/read"
	rightAssign     = "Microsoft.Authorization/roleAssignments/write"
	rightPolicies   = "Microsoft.KeyVault/vaults/accessPolicies/write"
	rightVaultWrite = "Microsoft.KeyVault/vaults/write"
	rightKeyUpdate  = "Microsoft.KeyVault/vaults/keys/update/action"
)

// Needs lists what Confluent and the watchdog need of an Azure key: what
// Confluent's service principal must be able to do; what the vault must be and
// let in; that the key is of a kind and in a state to be used, and with it every
// version which the snapshot had enabled, since old data is never encrypted anew,
// and without a snapshot every one that is now; and the watchdog's own rights, as
// many as the key's mode needs. The last have no principal: they are asked of
// [core.Question.Self].
//
// A live policy without a list of what is assigned to one principal is made of
// files that somebody checks offline: the watchdog's rights are not asked for
// then, vault and key only as far as they are given, and [Judge] lists the rest
// as assumed.
func Needs(k core.Key, live, good core.Policy) []core.Requirement {
	rbac := rbacIn(k, good, live)
	var needs []core.Requirement
	for _, p := range confluent.AzurePermissions() {
		severity := p.Severity
		if p.Name == confluent.AzureVaultRead && !rbac {
			severity = core.Warning // customers with access policies were not told to assign Reader
		}
		needs = append(needs, core.Requirement{Aspect: core.Access, Principal: wording.Lower(k.Needs.Principal), Permission: p.Name, Severity: severity})
	}
	property := func(name string, severity core.Severity) {
		needs = append(needs, core.Requirement{Aspect: core.Property, Permission: name, Severity: severity})
	}
	watched := listsOnePrincipal(live)
	if has(live, core.Vault) || watched {
		if k.Needs.Tenant != "" {
			property(vaultTenant, core.Critical)
		}
		property(vaultNetwork, core.Critical)
	}
	if has(live, core.VaultKey) || watched {
		property(keyEnabled, core.Critical)
		property(keyType, core.Critical)
		property(keyOperations, core.Critical)
	}
	if has(live, core.VaultKeyVersions) || watched {
		for _, number := range enabledIn(good, live) {
			property(versionPrefix+number+enabledSuffix, core.Critical)
		}
	}
	if has(live, core.Vault) || watched {
		property(vaultPurge, core.Warning)
	}
	if has(live, core.VaultKey) || watched {
		property(keyValidity, core.Warning)
	}
	if watched {
		for _, right := range ownRights(k, rbac) {
			needs = append(needs, core.Requirement{Aspect: core.Own, Permission: right, Severity: core.Critical})
		}
	}
	return needs
}

func has(p core.Policy, kind core.Kind) bool {
	_, ok := p.Find(kind)
	return ok
}

// listsOnePrincipal says that a policy was read by the watchdog, which asks Azure
// for what is assigned to one principal.
func listsOnePrincipal(p core.Policy) bool {
	return slices.ContainsFunc(p, func(d core.Document) bool { return d.Kind == core.RoleAssignments && assignedTo(d.ID) != "" })
}

// rbacIn is the permission model of the first of these policies that shows one:
// of the snapshot, because a switch that somebody turns by mistake must not
// change what is asked for.
func rbacIn(k core.Key, policies ...core.Policy) bool {
	for _, p := range policies {
		f := newFile(k)
		for _, d := range p {
			if d.Kind != core.Vault || d.Unreadable != "" {
				continue
			}
			if err := f.add(d, ""); err == nil && f.vault != nil && !f.vault.Deleted {
				return f.vault.RBAC
			}
		}
	}
	return true
}

// enabledIn lists the versions that are enabled in the first of these policies
// that lists versions at all.
func enabledIn(policies ...core.Policy) []string {
	for _, p := range policies {
		doc, ok := p.Find(core.VaultKeyVersions)
		if !ok || doc.Unreadable != "" {
			continue
		}
		list, _, err := parseVersions(doc.Text)
		if err != nil {
			continue
		}
		var out []string
		for _, v := range list {
			if v.Enabled {
				out = append(out, v.number)
			}
		}
		slices.Sort(out)
		return out
	}
	return nil
}

func ownRights(k core.Key, rbac bool) []string {
	rights := []string{rightVaultRead, rightKeyRead, rightListKeys, rightAssigned, rightRoles, rightDenied}
	if k.Mode != core.Enforce {
		return rights
	}
	if rbac {
		rights = append(rights, rightAssign)
	} else {
		rights = append(rights, rightPolicies)
	}
	if k.Network == core.CareRestore {
		rights = append(rights, rightVaultWrite)
	}
	if k.KeyState == core.CareRestore {
		rights = append(rights, rightKeyUpdate)
	}
	return rights
}
