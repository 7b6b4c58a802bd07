package azuretest

import (
	"testing"
	"time"
)

func TestConditions(t *testing.T) {
	const write = "Microsoft.Authorization/roleAssignments/write"
	a := asked{action: write, now: time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC), attributes: map[string]string{
		"@request[microsoft.authorization/roleassignments:principalid]": "AAAA0000-1111-4222-8333-000000000001", "@request[x:path]": "prod/a/b", "@resource[x:name]": "Store"}}
	for condition, want := range map[string]verdict{
		"ActionMatches{'" + write + "'}":                     yes,
		"actionmatches{'microsoft.authorization/*'}":         yes,
		"!(ActionMatches{'" + write + "'})":                  no,
		"NOT ActionMatches{'x'} AND ActionMatches{'x', '*'}": yes,
		"SubOperationMatches{'Blob.List'}":                   no,
		"@Request[Microsoft.Authorization/roleAssignments:PrincipalId] GuidEquals 'aaaa0000-1111-4222-8333-000000000001'":                      yes,
		"@Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {b, aaaa0000-1111-4222-8333-000000000001}": yes,
		"@Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAllValues:GuidNotEquals {aaaa0000-1111-4222-8333-000000000001}": unknown,
		"@Request[Microsoft.Authorization/roleAssignments:PrincipalId] GuidNotEquals 'aaaa0000-1111-4222-8333-000000000001'":                   no,
		"@Request[x:path] StringLike 'prod/*'":                                                    yes,
		"@Request[x:path] StringLike 'prod/?'":                                                    no,
		"@Request[x:path] StringStartsWith 'PROD'":                                                no,
		"@Request[x:path] StringStartsWithIgnoreCase 'PROD'":                                      yes,
		"@Resource[x:name] StringEquals 'store'":                                                  no,
		"@Resource[x:name] StringEqualsIgnoreCase 'store'":                                        yes,
		"@Resource[x:other] StringEquals 'store'":                                                 unknown,
		"@Resource[x:other] StringEquals 'store' OR ActionMatches{'*'}":                           yes,
		"@Resource[x:other] StringEquals 'store' AND ActionMatches{'*'}":                          unknown,
		"!(@Resource[x:other] StringEquals 'store')":                                              unknown,
		"Exists @Resource[x:other]":                                                               no,
		"NOT Exists @Resource[x:name]":                                                            no,
		"@Environment[UtcNow] DateTimeLessThan '2026-11-27T03:00:00.1Z'":                          yes,
		"@Environment[UtcNow] DateTimeGreaterThan '2026-11-27T03:00:00Z'":                         no,
		"@Environment[UtcNow] DateTimeGreaterThanEquals '2026-11-27T03:00:00Z'":                   yes,
		"(ActionMatches{'x'} OR ActionMatches{'y'}) AND ActionMatches{'*'} OR ActionMatches{'*'}": yes,
		"":                                 unknown,
		"ActionMatches{'x'":                unknown,
		"ActionMatches{'x'} ok":            unknown,
		"(ActionMatches{'x'}":              unknown,
		"@Request[x:path] NumericEquals 1": unknown,
		"x StringEquals 'y'":               unknown,
		"§":                                unknown,
	} {
		got, err := holds(condition, a)
		if err != nil {
			got = unknown
		}
		if got != want {
			t.Errorf("%s: %d, want %d; %v", condition, got, want, err)
		}
	}
}

func TestPatternsOfActions(t *testing.T) {
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "A/b/read", true},
		{"*/read", "A/b/READ", true},
		{"a/*/read", "A/b/c/read", true},
		{"a/*/read", "A/read", true},
		{"a/*", "A/b/c", true},
		{"a/*", "A", false},
		{"a/b", "A/b/c", false},
		{"a/b/*/c*", "a/b/x/cd", true},
		{"a/*/read", "a/readx", false},
		{"**", "", true},
		{"a.b", "axb", false},
	} {
		if match(c.pattern, c.action) != c.want {
			t.Errorf("%s and %s: %v", c.pattern, c.action, !c.want)
		}
	}
}

func TestTheScopesAboveAResource(t *testing.T) {
	c := New(Options{ManagementGroups: []string{"platform", "top"}})
	sub, above := fold(c.Subscription()), []string{fold(ManagementGroup("platform")), fold(ManagementGroup("top")), "/"}
	vault := sub + "/resourcegroups/rg/providers/microsoft.keyvault/vaults/v"
	for id, want := range map[string][]string{
		"/":                          {"/"},
		vault + "/keys/k/versions/1": append([]string{vault + "/keys/k/versions/1", vault + "/keys/k", vault, sub + "/resourcegroups/rg", sub}, above...),
		vault + "/providers/Microsoft.Authorization/roleAssignments/x":    append([]string{vault, sub + "/resourcegroups/rg", sub}, above...),
		sub + "/providers/microsoft.keyvault/locations/l/deletedvaults/v": append([]string{sub + "/providers/microsoft.keyvault/locations/l/deletedvaults/v", sub + "/providers/microsoft.keyvault/locations/l", sub}, above...),
		sub + "/providers/microsoft.keyvault/deletedvaults":               append([]string{sub}, above...),
		"/providers/Microsoft.Management/managementGroups/top":            above[1:],
		"/providers/Microsoft.Authorization/roleDefinitions/x":            {"/"},
		"//" + sub[1:] + "/": append([]string{sub}, above...),
		sub + "/resourcegroups/rg/providers/microsoft.storage/storageaccounts/a/blobservices/default/containers/c/blobs/x/y": append([]string{
			sub + "/resourcegroups/rg/providers/microsoft.storage/storageaccounts/a/blobservices/default/containers/c",
			sub + "/resourcegroups/rg/providers/microsoft.storage/storageaccounts/a/blobservices/default",
			sub + "/resourcegroups/rg/providers/microsoft.storage/storageaccounts/a", sub + "/resourcegroups/rg", sub}, above...),
	} {
		got := c.chain(id)
		if len(got) != len(want) {
			t.Errorf("%s: %q", id, got)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %q, want %q", id, got, want)
			}
		}
	}
}
