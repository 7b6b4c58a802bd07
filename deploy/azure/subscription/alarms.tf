# Alarms that need no function: events that did not arrive, and the changes that
# matter most, told by Azure itself.

locals {
  # A first attempt may fail in a cold start; ten in a quarter of an hour are more
  # than that. What is lost for good is an alarm at once.
  failures = {
    undelivered = { metric = "DeadLetteredCount", above = 0, severity = 0, text = "Events could not be delivered within a day and lie in the container for them." }
    dropped     = { metric = "DroppedEventCount", above = 0, severity = 0, text = "Events could not be delivered and are lost. The sweep still sees what they told of." }
    failing     = { metric = "DeliveryAttemptFailCount", above = 10, severity = 1, text = "The function app does not take events. They are sent again for a day." }
  }
}

# https://learn.microsoft.com/azure/event-grid/monitor-push-reference
resource "azurerm_monitor_metric_alert" "delivery" {
  for_each = merge([for source, t in local.topics : {
    for name, f in local.failures : "${name} ${source}" => merge(f, { name = name, topic = t })
  }]...)
  name                = "${each.value.topic.name}-${each.value.name}"
  resource_group_name = var.resource_group_name
  scopes              = [each.value.topic.id]
  description         = each.value.text
  severity            = each.value.severity
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.EventGrid/systemTopics"
    metric_name      = each.value.metric
    aggregation      = "Total"
    operator         = "GreaterThan"
    threshold        = each.value.above
  }

  dynamic "action" {
    for_each = var.alarm_action_groups
    content {
      action_group_id = action.value
    }
  }
}

locals {
  # What takes access away, or may. An assignment that is added is no loss.
  losses = {
    assignment-deleted    = "Microsoft.Authorization/roleAssignments/delete"
    vault-written         = "Microsoft.KeyVault/vaults/write"
    access-policy-written = "Microsoft.KeyVault/vaults/accessPolicies/write"
    vault-deleted         = "Microsoft.KeyVault/vaults/delete"
  }
}

resource "azurerm_monitor_activity_log_alert" "loss" {
  for_each            = length(local.groups) == 0 ? {} : local.losses
  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = "global"
  scopes              = local.groups
  description         = "In a resource group with protected keys: ${each.value}. Told without the function app; if byokwatch says nothing within minutes, look at the keys."
  tags                = var.tags

  criteria {
    category       = "Administrative"
    operation_name = each.value
    statuses       = ["Succeeded"]
  }

  dynamic "action" {
    for_each = var.alarm_action_groups
    content {
      action_group_id = action.value
    }
  }
}
