package confluent_test

import (
	"slices"
	"testing"

	"byokwatch/core/confluent"
)

func TestTheTwoRolesGiveEveryPermission(t *testing.T) {
	var given, needed []string
	for _, r := range confluent.AzureRoles() {
		given = append(given, r.Permissions...)
	}
	for _, p := range confluent.AzurePermissions() {
		needed = append(needed, p.Name)
	}
	slices.Sort(given)
	slices.Sort(needed)
	if !slices.Equal(slices.Compact(given), needed) {
		t.Errorf("the roles give %q, Confluent needs %q", given, needed)
	}
}

func TestTheAccessPolicyGivesEachDataAction(t *testing.T) {
	for _, p := range confluent.AzurePermissions() {
		word := confluent.AzureKeyPermission(p.Name)
		switch {
		case p.Name == confluent.AzureVaultRead && word != "":
			t.Errorf("an access policy gives %s as %q", p.Name, word)
		case p.Name != confluent.AzureVaultRead && !slices.Contains(confluent.AzureAccessPolicy(), word):
			t.Errorf("the access policy has no %q for %s", word, p.Name)
		}
	}
}
