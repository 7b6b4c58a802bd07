# Changes of this subscription. Further subscriptions have a module ./subscription
# of their own, with a provider for it.

# By this identity Event Grid keeps what it could not deliver.
resource "azurerm_user_assigned_identity" "events" {
  name                = "${var.name}-events"
  resource_group_name = azurerm_resource_group.identity.name
  location            = azurerm_resource_group.identity.location
  tags                = var.tags
}

# Storage Blob Data Contributor is what Event Grid asks for, here on that one
# container: https://learn.microsoft.com/azure/event-grid/add-identity-roles
resource "azurerm_role_assignment" "undelivered" {
  scope              = "${azurerm_storage_account.host.id}/blobServices/default/containers/${azurerm_storage_container.undelivered.name}"
  role_definition_id = "${local.here}/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
  principal_id       = azurerm_user_assigned_identity.events.principal_id
  principal_type     = "ServicePrincipal"
  description        = "byokwatch: ${var.name}, undelivered events"
}

module "subscription" {
  source = "./subscription"

  deployment           = var.deployment
  subscription_id      = var.subscription_id
  name                 = var.name
  resource_group_name  = azurerm_resource_group.this.name
  access_policy_vaults = var.access_policy_vaults
  # By way of the package: Event Grid asks for the function when it subscribes.
  function_app_id = terraform_data.package.triggers_replace.app
  # By way of the right to it, which Event Grid needs as well.
  undelivered = {
    container_id = azurerm_role_assignment.undelivered.scope
    identity_id  = azurerm_user_assigned_identity.events.id
  }
  topic_identity      = var.topic_identity
  system_topics       = var.system_topics
  alarm_action_groups = var.alarm_action_groups
  tags                = var.tags
}
