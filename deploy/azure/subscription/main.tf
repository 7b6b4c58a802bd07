# What happens in one subscription, sent to the function app: the changes that
# Azure Resource Manager tells of, and those that only a vault tells of itself.
# Azure allows one system topic for each source, in the source's subscription.
# https://learn.microsoft.com/azure/event-grid/system-topics

locals {
  here     = "/subscriptions/${var.subscription_id}"
  events   = jsondecode(file("${path.module}/../../../functions/azure/events.json"))
  of_arm   = [for e in local.events : e if e.operation != e.event]
  of_vault = [for e in local.events : e if e.operation == e.event]

  vaults = { for v in var.deployment.vaults : v => {
    group = split("/", v)[4]
    name  = split("/", v)[8]
  } if split("/", v)[2] == var.subscription_id }
  groups = [for g in var.deployment.scopes.groups : replace(g, "${var.subscription_id}/resourcegroups", "${var.subscription_id}/resourceGroups") if split("/", g)[2] == var.subscription_id]

  function_id = "${var.function_app_id}/functions/OnChange"
}

# Where a vault is, and by what it decides, is its own to say.
data "azurerm_key_vault" "this" {
  for_each            = local.vaults
  name                = each.value.name
  resource_group_name = each.value.group
}

check "access_policies" {
  assert {
    condition = alltrue([for id, v in data.azurerm_key_vault.this : (v.rbac_authorization_enabled == true) != contains(var.access_policy_vaults, id)])
    error_message = format("access_policy_vaults is not as the vaults are, so that what is lost there could not be given back. By access policies: %s.",
      join(", ", [for id, v in data.azurerm_key_vault.this : id if v.rbac_authorization_enabled != true]),
    )
  }
}

locals {
  new_topics = merge(
    { for s in [local.here] : s => {
      name     = "${var.name}-subscription"
      type     = "Microsoft.Resources.Subscriptions"
      source   = s
      location = "global"
      identity = var.topic_identity
    } if !contains(keys(var.system_topics), s) },
    { for id, v in data.azurerm_key_vault.this : id => {
      name     = "${var.name}-${v.name}"
      type     = "Microsoft.KeyVault.vaults"
      source   = v.id
      location = v.location
      identity = true
    } if !contains(keys(var.system_topics), id) },
  )
}

resource "azurerm_eventgrid_system_topic" "this" {
  for_each            = local.new_topics
  name                = each.value.name
  resource_group_name = var.resource_group_name
  location            = each.value.location
  topic_type          = each.value.type
  source_resource_id  = each.value.source
  tags                = var.tags

  dynamic "identity" {
    for_each = each.value.identity ? [var.undelivered.identity_id] : []
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value]
    }
  }
}

locals {
  topics = merge(
    { for source, t in azurerm_eventgrid_system_topic.this : source => { id = t.id, name = t.name, resource_group_name = t.resource_group_name } },
    { for source, t in var.system_topics : source => {
      id                  = "${local.here}/resourceGroups/${t.resource_group_name}/providers/Microsoft.EventGrid/systemTopics/${t.name}"
      name                = t.name
      resource_group_name = t.resource_group_name
    } if contains(concat([local.here], keys(local.vaults)), source) },
  )
}

# The filter is the decoder's table: what it would pass over is not even sent.
resource "azurerm_eventgrid_system_topic_event_subscription" "changes" {
  name                  = var.name
  resource_group_name   = local.topics[local.here].resource_group_name
  system_topic          = local.topics[local.here].name
  event_delivery_schema = "EventGridSchema"
  included_event_types  = distinct([for e in local.of_arm : e.event])

  advanced_filter {
    string_in {
      key    = "data.operationName"
      values = [for e in local.of_arm : e.operation]
    }
  }

  # One event a call, so that one that fails is repeated alone.
  azure_function_endpoint {
    function_id          = local.function_id
    max_events_per_batch = 1
  }

  # The most that Event Grid offers: 24 hours.
  # https://learn.microsoft.com/azure/event-grid/delivery-and-retry
  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  dynamic "storage_blob_dead_letter_destination" {
    for_each = var.topic_identity ? [var.undelivered.container_id] : []
    content {
      storage_account_id          = split("/blobServices/", storage_blob_dead_letter_destination.value)[0]
      storage_blob_container_name = split("/containers/", storage_blob_dead_letter_destination.value)[1]
    }
  }
  dynamic "dead_letter_identity" {
    for_each = var.topic_identity ? [var.undelivered.identity_id] : []
    content {
      type                   = "UserAssigned"
      user_assigned_identity = dead_letter_identity.value
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.of_arm) <= 25
      error_message = "Event Grid takes 25 values in the filters of one event subscription: https://learn.microsoft.com/azure/event-grid/event-filtering#limitations"
    }
  }
}

# Vaults tell of access policies and of the switch to Azure RBAC themselves, also
# when the subscription's topic should fail.
resource "azurerm_eventgrid_system_topic_event_subscription" "vault" {
  for_each              = local.vaults
  name                  = var.name
  resource_group_name   = local.topics[each.key].resource_group_name
  system_topic          = local.topics[each.key].name
  event_delivery_schema = "EventGridSchema"
  included_event_types  = [for e in local.of_vault : e.event]

  azure_function_endpoint {
    function_id          = local.function_id
    max_events_per_batch = 1
  }

  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = split("/blobServices/", var.undelivered.container_id)[0]
    storage_blob_container_name = split("/containers/", var.undelivered.container_id)[1]
  }
  dead_letter_identity {
    type                   = "UserAssigned"
    user_assigned_identity = var.undelivered.identity_id
  }
}
