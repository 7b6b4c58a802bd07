package azurekv

import (
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/rawjson"
)

// The built-in roles that give the watchdog rights by hand. Reader reads all that
// management shows, and nothing that is in a vault; Key Vault Data Access
// Administrator assigns roles of Key Vault.
//
// Sources: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/general,
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
const (
	roleReader     = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	roleDataAccess = "8b54135c-b56d-4d72-a534-26097cfdc8d8"
)

// rights gives the watchdog what it lacks, at the vault.
func (u *unlocker) rights(missing []core.Requirement) {
	missing = slices.DeleteFunc(slices.Clone(missing), func(r core.Requirement) bool { return r.Aspect != core.Own })
	var reads, writes, rest []string
	for _, r := range u.ungiven(missing) {
		switch {
		case slices.Contains([]string{rightVaultRead, rightKeyRead, rightListKeys, rightAssigned, rightRoles, rightDenied}, r.Permission):
			reads = append(reads, r.Permission)
		case r.Permission == rightAssign:
			writes = append(writes, r.Permission)
		case slices.Contains([]string{rightPolicies, rightVaultWrite, rightKeyUpdate}, r.Permission):
			rest = append(rest, r.Permission)
		}
	}
	u.denies(missing, u.q.Self, "the watchdog")
	all := slices.Concat(reads, writes, rest)
	if len(all) == 0 {
		return
	}
	u.add("# The watchdog lacks rights. Apply its deployment again, or:")
	if !guidGrammar.MatchString(u.q.Self) {
		u.add("# Give the watchdog's identity " + strings.Join(all, ", ") + " at the vault.")
		return
	}
	if len(reads) > 0 {
		u.add("# For reading the vault, its keys and who may use them:", u.azAssign(roleReader, u.q.Self))
	}
	if len(writes) > 0 && u.principal != "" {
		u.add("# For assigning Confluent's two roles to Confluent, and nothing more:",
			u.azAssign(roleDataAccess, u.q.Self, "--condition", onlyConfluent(u.principal), "--condition-version", conditionVersion))
	}
	u.custom(rest)
}

// onlyConfluent is the condition under which the watchdog may assign roles: the
// two roles, to Confluent's principal; and take away none.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples
func onlyConfluent(principal string) string {
	var roles []string
	for _, r := range confluent.AzureRoles() {
		roles = append(roles, r.ID)
	}
	return "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (" +
		"@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + strings.Join(roles, ", ") + "} AND " +
		"@Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {" + principal + "})) AND " +
		"(!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'}))"
}

// custom gives rights that no built-in role has without far more. Enabling a key
// is a matter of access policies in a vault that has those.
//
// Sources: https://learn.microsoft.com/azure/role-based-access-control/custom-roles-cli,
// https://learn.microsoft.com/azure/key-vault/general/assign-access-policy
func (u *unlocker) custom(rights []string) {
	var actions, data []string
	for _, r := range rights {
		switch {
		case r != rightKeyUpdate:
			actions = append(actions, r)
		case u.known && !u.now.rbac():
			u.add("# For enabling versions of keys:", u.setPolicy(u.q.Self, []string{"update"}, u.now.keys(u.q.Self)))
		default:
			data = append(data, r)
		}
	}
	if len(actions)+len(data) == 0 {
		return
	}
	name := "byokwatch repair " + u.vault
	definition := `{"Name": ` + rawjson.Quote(name) + `, "IsCustom": true, "Description": "What byokwatch repairs on this vault", "Actions": ` + quotedList(actions) +
		`, "DataActions": ` + quotedList(data) + `, "AssignableScopes": ["/subscriptions/` + u.subscription + `"]}`
	u.add("# For "+strings.Join(slices.Concat(actions, data), ", ")+", which no built-in role gives alone. If the role is there already, write update in the place of create:",
		line("az", "role", "definition", "create", "--subscription", u.subscription, "--role-definition", definition), u.azAssign(name, u.q.Self))
}
