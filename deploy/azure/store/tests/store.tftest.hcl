mock_provider "azurerm" {}

variables {
  store               = { account = "acmebw", container = "records", prefix = "prod" }
  resource_group_name = "acme-byokwatch-store"
  location            = "westus3"
}

run "open_to_those_with_a_role" {
  command = plan
  assert {
    condition     = azurerm_storage_account.this.network_rules[0].default_action == "Allow" && length(azurerm_storage_account.this.immutability_policy) == 0
    error_message = "an app without a virtual network must reach it"
  }
  assert {
    condition     = azurerm_storage_management_policy.this.rule[0].filters[0].prefix_match == toset(["records/prod/records/"])
    error_message = "only replaced records are cleared away"
  }
}

run "closed" {
  command = plan
  variables {
    subnet_ids     = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"]
    immutable_days = 365
  }
  assert {
    condition     = azurerm_storage_account.this.network_rules[0].default_action == "Deny" && azurerm_storage_account.this.immutability_policy[0].state == "Unlocked"
    error_message = "closed to other networks, and immutable"
  }
  assert {
    condition     = azurerm_storage_management_policy.this.rule[0].actions[0].version[0].delete_after_days_since_creation == 366
    error_message = "nothing is cleared away that cannot be deleted yet"
  }
}
