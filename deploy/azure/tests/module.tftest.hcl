# What the module would create, in the modes of a configuration, and what it
# refuses. The whole of it is compared with the code by the Go tests.

mock_provider "azurerm" {
  mock_data "azurerm_key_vault" {
    defaults = { location = "westus3", rbac_authorization_enabled = true }
  }
}

variables {
  name                    = "acme-byokwatch"
  location                = "westus3"
  subscription_id         = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
  package                 = "versions.tf"
  store_container_id      = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/acme-byokwatch-store/providers/Microsoft.Storage/storageAccounts/acmebw/blobServices/default/containers/records"
  store_resource_group_id = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/acme-byokwatch-store"
  alarm_action_groups     = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/oncall"]
  secrets                 = { SLACK_WEBHOOK_URL = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/ops/providers/Microsoft.KeyVault/vaults/acme-ops/secrets/slack" }
  deployment = {
    cloud         = "azure"
    mode          = "enforce"
    sweep_minutes = 1
    subscriptions = ["0b1f6471-1bf0-4dda-aec3-cb9272f09590"]
    vaults        = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys/providers/microsoft.keyvault/vaults/pay", "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/old/providers/microsoft.keyvault/vaults/old"]
    store         = { account = "acmebw", container = "records", prefix = "prod" }
    scopes = {
      groups          = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys", "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/old"]
      enforced_groups = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys"]
      enforced_vaults = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys/providers/microsoft.keyvault/vaults/pay"]
      firewalls       = []
      enabling        = []
      subscriptions   = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"]
    }
    principals = { "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys" = ["7c9f3a52-4b7e-4a53-9e21-5d0c8b6f1a02"] }
    secrets    = ["SLACK_WEBHOOK_URL"]
  }
}

run "enforce_gives_back_under_a_condition" {
  command = plan
  assert {
    condition     = join(" ", [for key, a in azurerm_role_assignment.this : a.scope if startswith(key, "byokwatchRestore")]) == "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/keys"
    error_message = "access is given back at the resource group of the enforced key and nowhere else"
  }
  assert {
    condition = alltrue([for key, a in azurerm_role_assignment.this :
      a.condition_version == "2.0" && strcontains(a.condition, "GuidEquals {e147488a-f6f5-4113-8e2d-b22465e65bf6, 21090545-7ca7-4776-b22c-e363652d74d2}") && strcontains(a.condition, "GuidEquals {7c9f3a52-4b7e-4a53-9e21-5d0c8b6f1a02}")
      if startswith(key, "byokwatchRestore")
    ])
    error_message = "only Confluent's two roles, and only to Confluent"
  }
  assert {
    condition     = [for key, a in azurerm_role_assignment.this : a.condition if key == "byokwatchWriteRecords store"] == ["((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringStartsWith 'prod/records/'))"]
    error_message = "records are written below records/ only"
  }
  assert {
    condition     = keys(azurerm_role_assignment.secrets) == ["byokwatchReadSecrets SLACK_WEBHOOK_URL"]
    error_message = "the platform reads the secrets of the configuration"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.always_ready[0].name == "function:OnChange"
    error_message = "an instance waits for events"
  }
  assert {
    condition     = length(azurerm_management_lock.identity) == 0 && length(azurerm_role_definition.operators) == 0
    error_message = "what nobody asked for is not there"
  }
}

run "observe_changes_nothing" {
  command = plan
  variables {
    deployment = {
      cloud         = "azure"
      mode          = "observe"
      sweep_minutes = 5
      subscriptions = ["0b1f6471-1bf0-4dda-aec3-cb9272f09590"]
      vaults        = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys/providers/microsoft.keyvault/vaults/pay"]
      store         = { account = "acmebw", container = "records", prefix = "" }
      scopes = {
        groups          = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys"]
        enforced_groups = []
        enforced_vaults = []
        firewalls       = []
        enabling        = []
        subscriptions   = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"]
      }
      principals = {}
      secrets    = []
    }
  }
  assert {
    condition     = alltrue(flatten([for r in azurerm_role_definition.this : [for a in r.permissions[0].actions : endswith(a, "/read")]]))
    error_message = "a watchdog that only observes may change nothing in Azure Resource Manager"
  }
  assert {
    condition     = toset(flatten([for r in azurerm_role_definition.this : [for a in r.permissions[0].data_actions : a if !endswith(a, "/read")]])) == toset(["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action"])
    error_message = "nor anything but its own records"
  }
  assert {
    condition     = [for key, a in azurerm_role_assignment.this : strcontains(a.condition, "StringStartsWith 'kept/'") if key == "byokwatchAddKept store"] == [true]
    error_message = "without a prefix what is kept is at the top"
  }
  assert {
    condition     = length(azurerm_role_assignment.secrets) == 0
    error_message = "a secret that the configuration does not name is not read"
  }
}

run "a_vault_with_access_policies" {
  command = plan
  variables {
    access_policy_vaults = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys/providers/microsoft.keyvault/vaults/pay"]
  }
  override_data {
    target = module.subscription.data.azurerm_key_vault.this["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys/providers/microsoft.keyvault/vaults/pay"]
    values = { rbac_authorization_enabled = false }
  }
  assert {
    condition     = join(" ", [for key, a in azurerm_role_assignment.this : a.scope if startswith(key, "byokwatchRestore")]) == "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/pay"
    error_message = "it has the right on that vault's policies, in place of the conditioned one"
  }
}

run "operators_write_requests_only" {
  command = plan
  variables {
    operators = { oncall = { id = "11111111-2222-4333-8444-555555555555", type = "Group" } }
  }
  assert {
    condition     = azurerm_role_assignment.operators["oncall"].condition == "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringStartsWith 'prod/requests/'))"
    error_message = "operators ask; they do not write records"
  }
}

run "a_missing_secret" {
  command = plan
  variables {
    secrets = {}
  }
  expect_failures = [azurerm_function_app_flex_consumption.this]
}

run "a_secret_by_its_url" {
  command = plan
  variables {
    secrets = { SLACK_WEBHOOK_URL = "https://acme-ops.vault.azure.net/secrets/slack" }
  }
  expect_failures = [var.secrets]
}

run "keys_that_nobody_would_hear_of" {
  command = plan
  variables {
    subscription_id = "11111111-2222-4333-8444-555555555555"
  }
  expect_failures = [azurerm_resource_group.this]
}

run "another_container" {
  command = plan
  variables {
    store_container_id = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/acme-byokwatch-store/providers/Microsoft.Storage/storageAccounts/acmebw/blobServices/default/containers/other"
  }
  expect_failures = [azurerm_resource_group.this]
}

run "a_vault_that_is_not_there" {
  command = plan
  variables {
    access_policy_vaults = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/pay"]
  }
  expect_failures = [azurerm_resource_group.this]
}

run "no_package" {
  command = plan
  variables {
    package = "byokwatch-azure-amd64.zip"
  }
  expect_failures = [var.package]
}

run "alarms_that_reach_nobody" {
  command = plan
  variables {
    alarm_action_groups = []
  }
  expect_failures = [check.alarms]
}

run "no_instance_that_waits" {
  command = plan
  variables {
    always_ready = 0
  }
  assert {
    condition     = length(azurerm_function_app_flex_consumption.this.always_ready) == 0
    error_message = "nobody pays for what nobody wants"
  }
}
