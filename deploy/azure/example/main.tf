# One subscription with keys. Make deployment.json beside this file by
# `byokwatch config deployment --cloud azure byokwatch.yaml`, and give the
# variables in terraform.tfvars.

terraform {
  required_version = ">= 1.5"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.73, < 5.0"
    }
  }
}

provider "azurerm" {
  features {}
  subscription_id = var.subscription_id
  # Both storage accounts have their keys switched off.
  storage_use_azuread = true
}

locals {
  deployment = jsondecode(file(var.deployment))
}

module "store" {
  source              = "../store"
  store               = local.deployment.store
  resource_group_name = "${var.name}-store"
  location            = var.location
}

module "byokwatch" {
  source                  = "../"
  deployment              = local.deployment
  package                 = var.package
  name                    = var.name
  location                = var.location
  subscription_id         = var.subscription_id
  store_container_id      = module.store.container_id
  store_resource_group_id = module.store.resource_group_id
  access_policy_vaults    = var.access_policy_vaults
  secrets                 = var.secrets
  operators               = var.operators
  alarm_action_groups     = var.alarm_action_groups
}

output "by_hand" {
  description = "What is left to be done by somebody who may edit access policies."
  value       = module.byokwatch.by_hand
}

output "principal_id" {
  description = "Object ID of the watchdog's identity, which byokwatch prepare --identity asks for."
  value       = module.byokwatch.principal_id
}
