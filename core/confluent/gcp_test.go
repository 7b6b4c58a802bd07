package confluent_test

import (
	"slices"
	"testing"

	"byokwatch/core/confluent"
)

func TestThePredefinedPairGivesEveryPermissionOnce(t *testing.T) {
	var given, needed []string
	for _, r := range confluent.GCPRoles() {
		given = append(given, r.Permissions...)
	}
	for _, p := range confluent.GCPPermissions() {
		needed = append(needed, p.Name)
	}
	slices.Sort(given)
	slices.Sort(needed)
	if !slices.Equal(given, needed) {
		t.Errorf("the pair gives %q, Confluent needs %q", given, needed)
	}
}

func TestTheCustomRoleIsNamedAsConfluentNamesIt(t *testing.T) {
	const want = "testkeyring_testbyokkey_custom_kms_role"
	if got := confluent.GCPCustomRole("testkeyring", "testbyokkey"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
