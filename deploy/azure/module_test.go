// Package azure_test compares what the Terraform module would create with what
// the function app for Azure decodes, does and needs.
package azure_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"byokwatch/deploy/deploytest"
)

// modules are the folders that people use.
var modules = []string{".", "subscription", "store", "example"}

func TestModules(t *testing.T) {
	for _, dir := range modules {
		t.Run(dir, func(t *testing.T) { deploytest.Check(t, dir) })
	}
}

// deployment is deployment.json as a module reads it.
type deployment struct {
	Mode          string   `json:"mode"`
	SweepMinutes  int      `json:"sweep_minutes"`
	Subscriptions []string `json:"subscriptions"`
	Vaults        []string `json:"vaults"`
	Store         struct {
		Account   string `json:"account"`
		Container string `json:"container"`
		Prefix    string `json:"prefix"`
	} `json:"store"`
	Scopes     map[string][]string `json:"scopes"`
	Principals map[string][]string `json:"principals"`
	Secrets    []string            `json:"secrets"`
	Labels     map[string]string   `json:"labels"`
}

const (
	here      = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333"
	container = here + "/resourceGroups/acme-store/providers/Microsoft.Storage/storageAccounts/acmebw/blobServices/default/containers/byokwatch"
	secret    = here + "/resourceGroups/ops/providers/Microsoft.KeyVault/vaults/acme-ops/secrets/slack"
	oncall    = here + "/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/oncall"
)

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func fixture(t *testing.T) deployment {
	t.Helper()
	var d deployment
	readJSON(t, "../testdata/azure.json", &d)
	if len(d.Vaults) < 2 || len(d.Scopes["groups"]) < 2 || len(d.Labels) < 2 {
		t.Fatalf("the deployment is too small to tell anything: %+v", d)
	}
	return d
}

// asFixed is what the module would create for the fixture; tests only read it.
var asFixed struct {
	sync.Once
	plan *deploytest.Planned
}

// planned is what the module would create for the fixture, with the variables
// that are given besides.
func planned(t *testing.T, more map[string]any) *deploytest.Planned {
	t.Helper()
	if more == nil {
		asFixed.Do(func() { asFixed.plan = planned(t, map[string]any{}) })
		if asFixed.plan == nil {
			t.Skip("the test that planned the fixture says why there is no plan")
		}
		return asFixed.plan
	}
	var d any
	readJSON(t, "../testdata/azure.json", &d)
	vars := map[string]any{
		"deployment": d, "name": "acme-byokwatch", "location": "westus3", "package": "versions.tf",
		"subscription_id":    strings.TrimPrefix(here, "/subscriptions/"),
		"store_container_id": container, "store_resource_group_id": here + "/resourceGroups/acme-store",
		"secrets": map[string]string{"SLACK_WEBHOOK_URL": secret}, "alarm_action_groups": []string{oncall},
	}
	for name, value := range more {
		vars[name] = value
	}
	return deploytest.Plan(t, ".", vars)
}

// The example is planned with a store that does not exist yet, and gives its
// container to the module.
func TestExample(t *testing.T) {
	group := here + "/resourceGroups/acme-byokwatch-store"
	p := deploytest.Plan(t, "example", map[string]any{
		"subscription_id": strings.TrimPrefix(here, "/subscriptions/"), "name": "acme-byokwatch", "location": "westus3",
		"deployment": "../../testdata/azure.json", "package": "main.tf",
		"secrets": map[string]string{"SLACK_WEBHOOK_URL": secret}, "alarm_action_groups": []string{oncall},
	}, deploytest.Computed{
		"azurerm_resource_group.acme-byokwatch-store.id": group,
		"azurerm_storage_account.acmebw.id":              group + "/providers/Microsoft.Storage/storageAccounts/acmebw",
	})
	want := group + "/providers/Microsoft.Storage/storageAccounts/acmebw/blobServices/default/containers/byokwatch"
	if got := p.One(t, `module.byokwatch.azurerm_role_assignment.this["byokwatchReadStore store"]`).String("scope"); got != want {
		t.Errorf("records are read at %s instead of %s", got, want)
	}
	if role := p.One(t, `module.byokwatch.azurerm_role_definition.this["byokwatchReadStore"]`); !slices.Contains(role.Strings("assignable_scopes"), group) {
		t.Errorf("the role can be assigned at %v", role.Strings("assignable_scopes"))
	}
}
