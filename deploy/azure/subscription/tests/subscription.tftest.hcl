# Topics and their filters, and what is refused.

mock_provider "azurerm" {
  mock_data "azurerm_key_vault" {
    defaults = { location = "westus3", rbac_authorization_enabled = true }
  }
}

variables {
  name                = "acme-byokwatch"
  subscription_id     = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
  resource_group_name = "acme-byokwatch"
  function_app_id     = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/acme-byokwatch/providers/Microsoft.Web/sites/acme-byokwatch"
  undelivered = {
    container_id = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/acme-byokwatch/providers/Microsoft.Storage/storageAccounts/acmehost/blobServices/default/containers/undelivered"
    identity_id  = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/acme-byokwatch-identity/providers/Microsoft.ManagedIdentity/userAssignedIdentities/acme-byokwatch-events"
  }
  deployment = {
    vaults = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys/providers/microsoft.keyvault/vaults/pay", "/subscriptions/11111111-2222-4333-8444-555555555555/resourcegroups/far/providers/microsoft.keyvault/vaults/far"]
    scopes = { groups = ["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys", "/subscriptions/11111111-2222-4333-8444-555555555555/resourcegroups/far"] }
  }
}

run "one_topic_for_the_subscription_and_one_for_its_vault" {
  command = plan
  assert {
    condition     = { for source, t in azurerm_eventgrid_system_topic.this : source => "${t.topic_type} ${t.location}" } == { "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590" = "Microsoft.Resources.Subscriptions global", "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/keys/providers/microsoft.keyvault/vaults/pay" = "Microsoft.KeyVault.vaults westus3" }
    error_message = "topics are global for a subscription and where the vault is for a vault; those of other subscriptions are not ours"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.changes.dead_letter_identity[0].user_assigned_identity == var.undelivered.identity_id && azurerm_eventgrid_system_topic_event_subscription.changes.storage_blob_dead_letter_destination[0].storage_blob_container_name == "undelivered"
    error_message = "what is not delivered is kept"
  }
  assert {
    condition     = alltrue([for a in azurerm_monitor_activity_log_alert.loss : join(" ", a.scopes) == "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/keys"])
    error_message = "losses are told in this subscription's groups of keys"
  }
}

run "a_topic_that_exists_is_used" {
  command = plan
  variables {
    system_topics = { "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590" = { name = "shared", resource_group_name = "platform" } }
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.changes.system_topic == "shared" && azurerm_eventgrid_system_topic_event_subscription.changes.resource_group_name == "platform" && length(azurerm_eventgrid_system_topic.this) == 1
    error_message = "Azure allows one topic for each source"
  }
}

run "a_topic_without_identity" {
  command = plan
  variables {
    topic_identity = false
  }
  assert {
    condition     = length(azurerm_eventgrid_system_topic.this["/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"].identity) == 0 && length(azurerm_eventgrid_system_topic_event_subscription.changes.storage_blob_dead_letter_destination) == 0 && length(azurerm_eventgrid_system_topic.this) == 2
    error_message = "only the subscription's topic can do without"
  }
}

run "a_vault_that_decides_by_policies_unsaid" {
  command = plan
  override_data {
    target = data.azurerm_key_vault.this
    values = { rbac_authorization_enabled = false }
  }
  expect_failures = [check.access_policies]
}
