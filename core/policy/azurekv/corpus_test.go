package azurekv_test

import (
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/policy/policytest"
)

func TestTheCorpus(t *testing.T) {
	const (
		vault     = "/subscriptions/11111111-2222-3333-4444-555555555555/resourcegroups/kafka/providers/microsoft.keyvault/vaults/acme-vault"
		key       = vault + "/keys/payments"
		confluent = "cccccccc-2222-2222-2222-222222222222"
		watchdog  = "dddddddd-3333-3333-3333-333333333333"
		role      = "/providers/microsoft.authorization/roledefinitions/"
	)
	suite := policytest.Suite{
		Judge: azurekv.Judge,
		Needs: azurekv.Needs,
		Cloud: core.Azure,
		Documents: map[string]core.Kind{
			"vault.json": core.Vault, "othervault.json": core.Vault, "somevault.json": core.Vault,
			"key.json": core.VaultKey, "otherkey.json": core.VaultKey, "somekey.json": core.VaultKey,
			"versions.json": core.VaultKeyVersions, "someversions.json": core.VaultKeyVersions,
			"assigned.json": core.RoleAssignments, "self.json": core.RoleAssignments, "all.json": core.RoleAssignments, "more.json": core.RoleAssignments,
			"role.json": core.RoleDefinitions, "otherrole.json": core.RoleDefinitions, "reader.json": core.RoleDefinitions, "roles.json": core.RoleDefinitions,
			"selfrole.json": core.RoleDefinitions, "access.json": core.RoleDefinitions,
			"deny.json": core.DenyAssignments, "somedeny.json": core.DenyAssignments,
		},
		IDs: map[string]string{
			"vault.json": vault, "othervault.json": vault + "2", "somevault.json": azurekv.FromFile + "vault.json", "otherkey.json": key + "2", "somekey.json": "", "someversions.json": azurekv.FromFile + "v.json",
			"assigned.json": core.AssignedTo(key, confluent), "self.json": core.AssignedTo(key, watchdog), "all.json": "", "more.json": azurekv.FromFile + "more.json",
			"role.json": role + "eeeeeeee-4444-4444-4444-444444444444", "otherrole.json": role + "eeeeeeee-5555-5555-5555-555555555555", "reader.json": role + "21090545-7ca7-4776-b22c-e363652d74d2",
			"selfrole.json": role + "eeeeeeee-6666-6666-6666-666666666666", "access.json": role + "8b54135c-b56d-4d72-a534-26097cfdc8d8", "roles.json": "", "somedeny.json": "",
		},
		Sources: []string{"https://learn.microsoft.com/azure/", "https://learn.microsoft.com/rest/api/", "https://learn.microsoft.com/cli/azure/", "https://docs.confluent.io/", "https://github.com/confluentinc/"},
	}
	suite.Run(t, "testdata/*.txtar", 480)
}
