package azure_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"byokwatch/deploy/deploytest"
)

func stored(t *testing.T) *deploytest.Planned {
	t.Helper()
	return deploytest.Plan(t, "store", map[string]any{
		"store": map[string]string{"account": "acmebw", "container": "byokwatch", "prefix": "prod"}, "resource_group_name": "acme-store", "location": "westus3",
	})
}

// expect compares arguments of a resource, by the path to each.
func expect(t *testing.T, r deploytest.Resource, want map[string]any) {
	t.Helper()
	for path, value := range want {
		var steps []any
		for _, name := range strings.Split(path, ".") {
			steps = append(steps, name)
			if name != strings.Split(path, ".")[strings.Count(path, ".")] {
				steps = append(steps, 0)
			}
		}
		if got := r.At(steps...); got != value {
			t.Errorf("%s: %s is %v instead of %v", r.Address, path, got, value)
		}
	}
}

// No storage has keys, public blobs, old TLS or users of its own.
func TestStorageIsClosed(t *testing.T) {
	var accounts, containers []deploytest.Resource
	for _, p := range []*deploytest.Planned{planned(t, nil), stored(t)} {
		accounts, containers = append(accounts, p.All("azurerm_storage_account")...), append(containers, p.All("azurerm_storage_container")...)
	}
	if len(accounts) != 2 || len(containers) != 3 {
		t.Fatalf("%d accounts and %d containers", len(accounts), len(containers))
	}
	for _, a := range accounts {
		expect(t, a, map[string]any{"shared_access_key_enabled": false, "default_to_oauth_authentication": true, "allow_nested_items_to_be_public": false,
			"local_user_enabled": false, "https_traffic_only_enabled": true, "min_tls_version": "TLS1_2", "blob_properties.delete_retention_policy.days": a.At("blob_properties", 0, "delete_retention_policy", 0, "days")})
		if days, _ := a.At("blob_properties", 0, "delete_retention_policy", 0, "days").(float64); days < 7 {
			t.Errorf("%s: what is deleted can be brought back for %v days", a.Address, days)
		}
	}
	for _, c := range containers {
		expect(t, c, map[string]any{"container_access_type": "private"})
	}
}

// The store keeps what was replaced and what was deleted, is not encrypted with a
// key that could be lost together with what it helps with, and cannot be
// destroyed by Terraform.
func TestStoreKeeps(t *testing.T) {
	account := stored(t).One(t, "azurerm_storage_account.this")
	expect(t, account, map[string]any{"blob_properties.versioning_enabled": true, "blob_properties.container_delete_retention_policy.days": 90.0, "name": "acmebw"})
	if keys, _ := account.At("customer_managed_key").([]any); len(keys) > 0 {
		t.Error("the store hangs on a key of the customer")
	}
	kept := map[string]bool{}
	for _, b := range deploytest.Parse(t, "store").Blocks {
		for _, in := range b.Body.Blocks {
			if attribute := in.Body.Attributes["prevent_destroy"]; in.Type == "lifecycle" && attribute != nil {
				value, diags := attribute.Expr.Value(nil)
				kept[b.Labels[0]] = !diags.HasErrors() && value.True()
			}
		}
	}
	if want := map[string]bool{"azurerm_resource_group": true, "azurerm_storage_account": true, "azurerm_storage_container": true}; !maps.Equal(kept, want) {
		t.Errorf("kept are %v instead of %v", kept, want)
	}
}

// builtin are the built-in roles that are assigned, with what each is on.
var builtin = map[string]string{
	"b7e6dc6d-f1e8-4753-8033-0f276bb0955b": hostAt,                                                  // Storage Blob Data Owner: the Functions host
	"3913510d-42f4-4e42-8a64-420c390055eb": appAt,                                                   // Monitoring Metrics Publisher
	"ba92f5b4-2d11-453d-a403-e96b0029c9fe": hostAt + "/blobServices/default/containers/undelivered", // Storage Blob Data Contributor: Event Grid
}

// No right is wide: no built-in role but three on what is made here, no wildcard,
// nothing that permissions.json rules out, no assigning without a condition.
func TestNoRightIsWide(t *testing.T) {
	p := planned(t, map[string]any{"operators": map[string]any{"oncall": map[string]string{"id": "11111111-2222-4333-8444-555555555555", "type": "Group"}}})
	never := readPermissions(t).Never
	for _, role := range p.All("azurerm_role_definition") {
		if len(role.Strings("permissions", 0, "not_actions"))+len(role.Strings("permissions", 0, "not_data_actions")) > 0 {
			t.Errorf("%s says what it does not give", role.Address)
		}
		for _, a := range slices.Concat(role.Strings("permissions", 0, "actions"), role.Strings("permissions", 0, "data_actions")) {
			if strings.Contains(a, "*") || slices.Contains(never.Actions, a) || slices.Contains(never.DataActions, a) {
				t.Errorf("%s gives %s", role.Address, a)
			}
		}
	}
	seen := map[string]bool{}
	for _, a := range p.All("azurerm_role_assignment") {
		id := a.String("role_definition_id")
		role := id[strings.LastIndex(id, "/")+1:]
		if strings.Contains(id, "azurerm_role_definition.") {
			assigns := strings.Contains(id, "byokwatchRestoreAssignments") || strings.Contains(id, "byokwatchOperate")
			if assigns && a.String("condition") == "" {
				t.Errorf("%s has no condition", a.Address)
			}
			continue
		}
		if at, ok := builtin[role]; !ok || at != a.String("scope") {
			t.Errorf("%s assigns the built-in role %s at %s", a.Address, role, a.String("scope"))
		}
		seen[role] = true
	}
	if len(seen) != len(builtin) {
		t.Errorf("only %v of the built-in roles are assigned", seen)
	}
	operators := p.One(t, `azurerm_role_assignment.operators["oncall"]`)
	expect(t, operators, map[string]any{"principal_id": "11111111-2222-4333-8444-555555555555", "scope": container, "condition_version": "2.0"})
}

// The function app has the settings that the function reads, and no password.
func TestFunctionApp(t *testing.T) {
	p := planned(t, nil)
	app := p.One(t, "azurerm_function_app_flex_consumption.this")
	expect(t, app, map[string]any{
		"runtime_name": "custom", "https_only": true, "webdeploy_publish_basic_authentication_enabled": false,
		"storage_authentication_type": "UserAssignedIdentity", "storage_user_assigned_identity_id": "azurerm_user_assigned_identity.acme-byokwatch.id",
		"identity.type": "SystemAssigned, UserAssigned", "site_config.minimum_tls_version": "1.2", "site_config.scm_minimum_tls_version": "1.2",
		"site_config.ip_restriction_default_action": "Deny", "site_config.ip_restriction.service_tag": "AzureEventGrid",
		"always_ready.name": "function:OnChange", "always_ready.instance_count": 1.0,
	})
	if keys, rest := app.String("storage_access_key"), app.Strings("connection_string"); keys != "" || len(rest) > 0 || strings.HasSuffix(app.String("zip_deploy_file"), ".zip") {
		t.Error("the app has a password, or is deployed by one")
	}
	client := "azurerm_user_assigned_identity.acme-byokwatch.client_id"
	want := map[string]any{
		"BYOKWATCH_CONFIG": "byokwatch.yaml", "BYOKWATCH_SELF": watchdog, "AZURE_CLIENT_ID": client, "SLACK_WEBHOOK_URL": "@Microsoft.KeyVault(VaultName=acme-ops;SecretName=slack)",
		"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": "acmebyokwatchostb49eb8ab", "AzureWebJobsStorage__credential": "managedidentity", "AzureWebJobsStorage__clientId": client,
		"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=" + client + ";Authorization=AAD",
	}
	if got, _ := app.At("app_settings").(map[string]any); !maps.Equal(got, want) {
		t.Errorf("settings %v instead of %v", got, want)
	}
	expect(t, p.One(t, "azurerm_service_plan.this"), map[string]any{"sku_name": "FC1", "os_type": "Linux"})
	expect(t, p.One(t, "azurerm_application_insights.this"), map[string]any{"local_authentication_disabled": true, "workspace_id": "azurerm_log_analytics_workspace.acme-byokwatch.id"})
	expect(t, p.One(t, "azurerm_log_analytics_workspace.this"), map[string]any{"local_authentication_enabled": false, "retention_in_days": 90.0})
}

// A configuration outside the package is read by a right on that blob alone, and
// with its sum.
func TestConfigurationOutsideThePackage(t *testing.T) {
	other := strings.TrimSuffix(container, "byokwatch") + "configuration"
	sum := strings.Repeat("0123456789abcdef", 4)
	p := planned(t, map[string]any{"configuration": map[string]string{"url": "azblob://acmebw/configuration/prod/byokwatch.yaml", "sha256": sum, "container_id": other}})
	settings, _ := p.One(t, "azurerm_function_app_flex_consumption.this").At("app_settings").(map[string]any)
	if settings["BYOKWATCH_CONFIG"] != "azblob://acmebw/configuration/prod/byokwatch.yaml" || settings["BYOKWATCH_CONFIG_SHA256"] != sum {
		t.Errorf("settings are %v", settings)
	}
	a := p.One(t, `azurerm_role_assignment.this["byokwatchReadConfiguration configuration"]`)
	if a.String("scope") != other || !strings.Contains(a.String("condition"), "StringEquals 'prod/byokwatch.yaml'") {
		t.Errorf("it is read at %s if %s", a.String("scope"), a.String("condition"))
	}
}
