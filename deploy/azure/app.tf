# The function app, the storage of its host, and its package.

# The host keeps the timer's lock and the package here, apart from the store: the
# host's identity may do everything to these blobs, and to none of the store's.
resource "azurerm_storage_account" "host" {
  name                            = "${substr(replace(var.name, "-", ""), 0, 12)}host${local.unique}"
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  allow_nested_items_to_be_public = false
  local_user_enabled              = false
  https_traffic_only_enabled      = true
  min_tls_version                 = "TLS1_2"
  tags                            = var.tags

  blob_properties {
    delete_retention_policy {
      days = 30
    }
  }

  # An app outside a virtual network has no addresses of its own that a rule
  # could name; who may come in is said by its identity.
  network_rules {
    default_action             = var.subnet_id == null ? "Allow" : "Deny"
    bypass                     = ["AzureServices"]
    virtual_network_subnet_ids = var.subnet_id[*]
  }
}

resource "azurerm_storage_container" "package" {
  name                  = "package"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}

# What Event Grid could not deliver within a day.
resource "azurerm_storage_container" "undelivered" {
  name                  = "undelivered"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}

resource "azurerm_service_plan" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = var.tags
}

locals {
  app_settings = merge({
    BYOKWATCH_CONFIG = var.configuration == null ? "byokwatch.yaml" : var.configuration.url
    BYOKWATCH_SELF   = azurerm_user_assigned_identity.this.principal_id
    AZURE_CLIENT_ID  = azurerm_user_assigned_identity.this.client_id

    # The host reaches its storage by identity. The provider would write a
    # connection string without a key into the first of these, and an empty one
    # is what the host takes for none:
    # https://github.com/hashicorp/terraform-provider-azurerm/issues/29693,
    # https://github.com/Azure/azure-functions-host/pull/11794
    AzureWebJobsStorage              = ""
    AzureWebJobsStorage__accountName = azurerm_storage_account.host.name
    AzureWebJobsStorage__credential  = "managedidentity"
    AzureWebJobsStorage__clientId    = azurerm_user_assigned_identity.this.client_id

    # https://learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.this.client_id};Authorization=AAD"
    },
    var.configuration == null ? {} : { BYOKWATCH_CONFIG_SHA256 = var.configuration.sha256 },
    # https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
    { for name, id in local.secrets_used : name => "@Microsoft.KeyVault(VaultName=${split("/", id)[8]};SecretName=${split("/", id)[10]})" },
  )
}

resource "azurerm_function_app_flex_consumption" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  service_plan_id     = azurerm_service_plan.this.id
  tags                = var.tags

  # A custom handler: https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers
  runtime_name          = "custom"
  runtime_version       = "1.0"
  instance_memory_in_mb = 512 # the least; a sweep of 10,000 keys stays far below
  # The least that Azure takes. Instances beyond the first are for a flood of
  # events, which the store's compare-and-set keeps in order.
  maximum_instance_count = 40

  dynamic "always_ready" {
    for_each = var.always_ready > 0 ? [var.always_ready] : []
    content {
      name           = "function:OnChange"
      instance_count = always_ready.value
    }
  }

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.host.primary_blob_endpoint}${azurerm_storage_container.package.name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.this.id

  # The user-assigned one watches and restores. With the system-assigned one the
  # platform reads the secrets of app settings, and it may do nothing else.
  identity {
    type         = "SystemAssigned, UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  app_settings = local.app_settings

  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = var.subnet_id

  site_config {
    application_insights_connection_string = azurerm_application_insights.this.connection_string
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    vnet_route_all_enabled                 = var.subnet_id == null ? null : true

    # No function has an address of its own; what is left is the host's door for
    # Event Grid, which takes a key besides.
    # https://learn.microsoft.com/azure/app-service/overview-access-restrictions
    ip_restriction_default_action = var.only_event_grid ? "Deny" : "Allow"
    dynamic "ip_restriction" {
      for_each = var.only_event_grid ? ["AzureEventGrid"] : []
      content {
        name        = "event-grid"
        priority    = 100
        action      = "Allow"
        service_tag = ip_restriction.value
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(setsubtract(var.deployment.secrets, keys(var.secrets))) == 0
      error_message = "The configuration refers to secrets that the variable secrets does not name: ${join(", ", setsubtract(var.deployment.secrets, keys(var.secrets)))}. Alerts to those channels would never arrive."
    }
  }

  # What the host needs is assigned while the app is made.
  depends_on = [azurerm_role_assignment.this]
}

# The package is put there by the Azure CLI, with the credentials of whoever
# deploys: it calls the one way in that Flex Consumption has, and the provider's
# zip_deploy_file calls another one, with a password besides.
# https://learn.microsoft.com/azure/azure-functions/deployment-zip-push,
# https://github.com/hashicorp/terraform-provider-azurerm/issues/29630
#
# Rights take up to ten minutes to count, so it is tried more than once. At the
# end the platform is told to look up the secrets, which it had no right to when
# the app was made, and does anew only once a day:
# https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#rotation
resource "terraform_data" "package" {
  triggers_replace = {
    app      = azurerm_function_app_flex_consumption.this.id
    package  = filesha256(var.package)
    settings = sha256(jsonencode(local.app_settings))
  }

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    environment = {
      APP     = azurerm_function_app_flex_consumption.this.id
      PACKAGE = abspath(var.package)
      SECRETS = join(" ", keys(local.secrets_used))
    }
    command = <<-EOT
      for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
        if az functionapp deployment source config-zip --ids "$APP" --src "$PACKAGE" --output none; then
          [ -z "$SECRETS" ] || az rest --method post --url "$APP/config/configreferences/appsettings/refresh?api-version=2022-03-01" --output none
          exit
        fi
        echo "The package is not there yet; the next try is in a minute, because rights take a while to count." >&2
        sleep 60
      done
      echo "The package could not be deployed: the lines of az above say why." >&2
      exit 1
    EOT
  }

  depends_on = [azurerm_role_assignment.secrets]
}
