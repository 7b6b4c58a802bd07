output "function_app_id" {
  description = "The function app, once it has its package; for further modules ./subscription."
  value       = terraform_data.package.triggers_replace.app
}

output "undelivered" {
  description = "Where undelivered events are kept and by which identity; for further modules ./subscription, and for topics that exist already."
  value = {
    container_id = azurerm_role_assignment.undelivered.scope
    identity_id  = azurerm_user_assigned_identity.events.id
  }
}

output "principal_id" {
  description = "Object ID of the watchdog's identity (BYOKWATCH_SELF)."
  value       = azurerm_user_assigned_identity.this.principal_id
}

output "by_hand" {
  description = "What no role can give, to be done by somebody who may: permissions in access policies of vaults that use them."
  value = [for k in var.deployment.scopes.enabling :
    "az keyvault set-policy --name ${split("/", k)[8]} --object-id ${azurerm_user_assigned_identity.this.principal_id} --key-permissions get update"
    if contains(var.access_policy_vaults, split("/keys/", k)[0])
  ]
}
