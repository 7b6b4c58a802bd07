# byokwatch in one subscription of Azure: a function app that is called by Event
# Grid and by a timer, its identity, and what notices that it has stopped.
#
# Nothing is listed here that the code knows already: rights are read from
# permissions.json, what is filtered by from events.json (./subscription), keys
# and places from the deployment, which the configuration decides.

locals {
  here = "/subscriptions/${var.subscription_id}"

  permissions = jsondecode(file("${path.module}/../../functions/azure/permissions.json"))
  enforce     = var.deployment.mode == "enforce"

  # IDs as Azure Resource Manager writes them: a deployment has them in lower
  # case, and a provider compares texts.
  canonical = { for id in distinct(concat(
    var.deployment.vaults, var.deployment.scopes.groups, var.deployment.scopes.enforced_groups, var.deployment.scopes.enforced_vaults,
    var.deployment.scopes.firewalls, var.deployment.scopes.enabling, var.deployment.scopes.subscriptions
  )) : id => replace(replace(id, "subscriptions/${split("/", id)[2]}/resourcegroups", "subscriptions/${split("/", id)[2]}/resourceGroups"), "providers/microsoft.keyvault", "providers/Microsoft.KeyVault") }

  # Names that must be unique in all of Azure end in a digest of where they are.
  unique = substr(sha256("${local.here}/${var.name}"), 0, 8)
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
  tags     = var.tags

  lifecycle {
    precondition {
      condition     = length(setsubtract(var.deployment.subscriptions, concat([var.subscription_id], var.other_subscriptions))) == 0
      error_message = "Keys are in subscriptions that nobody watches: ${join(", ", setsubtract(var.deployment.subscriptions, concat([var.subscription_id], var.other_subscriptions)))}. Give each a module ./subscription with its own provider and name it in other_subscriptions."
    }
    precondition {
      condition     = length(setsubtract(var.access_policy_vaults, var.deployment.vaults)) == 0
      error_message = "access_policy_vaults has vaults that the deployment has not: ${join(", ", setsubtract(var.access_policy_vaults, var.deployment.vaults))}. Write them as the deployment does, in lower case."
    }
    precondition {
      condition     = endswith(lower(var.store_container_id), lower("/storageAccounts/${var.deployment.store.account}/blobServices/default/containers/${var.deployment.store.container}"))
      error_message = "store_container_id is not the container of the configuration, azblob://${var.deployment.store.account}/${var.deployment.store.container}."
    }
    # The provider and the variable must mean the same place: scopes are made of
    # the one, resources go to the other.
    postcondition {
      condition     = try(lower(split("/", self.id)[2]), var.subscription_id) == var.subscription_id
      error_message = "The provider is configured for another subscription than subscription_id."
    }
  }
}

# The identity lives apart, so that it can be locked, and so that whoever may
# change the function app need not be one who may hand out its identity.
resource "azurerm_resource_group" "identity" {
  name     = "${var.name}-identity"
  location = var.location
  tags     = var.tags
}

resource "azurerm_user_assigned_identity" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.identity.name
  location            = azurerm_resource_group.identity.location
  tags                = var.tags
}

resource "azurerm_management_lock" "identity" {
  count      = var.lock_identity ? 1 : 0
  name       = "byokwatch"
  scope      = azurerm_resource_group.identity.id
  lock_level = "CanNotDelete"
  notes      = "The identity of byokwatch: without it no access is given back, and its rights must be assigned anew."
}
