# Where records and snapshots are kept. It outlives the function app: destroying
# that leaves this alone, and this refuses to be destroyed.

locals {
  closed = length(var.subnet_ids) + length(var.address_ranges) > 0
  prefix = var.store.prefix == "" ? "" : "${var.store.prefix}/"
}

resource "azurerm_resource_group" "this" {
  name     = var.resource_group_name
  location = var.location
  tags     = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

# Encrypted with Microsoft's keys, on purpose: with one of the customer's, the
# store could be lost together with what it is to help with.
resource "azurerm_storage_account" "this" {
  name                            = var.store.account
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  account_tier                    = "Standard"
  account_replication_type        = var.replication
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  allow_nested_items_to_be_public = false
  local_user_enabled              = false
  https_traffic_only_enabled      = true
  min_tls_version                 = "TLS1_2"
  tags                            = var.tags

  blob_properties {
    versioning_enabled = true
    delete_retention_policy {
      days = var.deleted_days
    }
    container_delete_retention_policy {
      days = var.deleted_days
    }
  }

  network_rules {
    default_action             = local.closed ? "Deny" : "Allow"
    bypass                     = ["AzureServices"]
    virtual_network_subnet_ids = var.subnet_ids
    ip_rules                   = var.address_ranges
  }

  # Of versions, so that a record can still be replaced, by a new one:
  # https://learn.microsoft.com/azure/storage/blobs/immutable-version-level-worm-policies
  dynamic "immutability_policy" {
    for_each = var.immutable_days > 0 ? [var.immutable_days] : []
    content {
      period_since_creation_in_days = immutability_policy.value
      state                         = var.immutable_locked ? "Locked" : "Unlocked"
      allow_protected_append_writes = false
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "this" {
  name                  = var.store.container
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

# Records are replaced all the time. What is kept is added once and stays.
resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "replaced-records"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["${azurerm_storage_container.this.name}/${local.prefix}records/"]
    }
    actions {
      version {
        delete_after_days_since_creation = max(var.replaced_days, var.immutable_days + 1)
      }
    }
  }
}
