# What notices that the watchdog has stopped, fails, or could not help. Alarms
# are Azure's own, beside the alerts of the product: they also tell when nothing
# of the product runs any more.

check "alarms" {
  assert {
    condition     = length(var.alarm_action_groups) > 0
    error_message = "alarm_action_groups is empty: nobody is told when the watchdog stops. Give it the ID of an action group."
  }
}

locals {
  # A sweep is missing after three that did not come.
  patience_minutes = 3 * var.deployment.sweep_minutes < 10 ? 10 : 15

  lines = <<-EOT
    traces
    | where message startswith "{"
    | extend line = parse_json(message)
  EOT

  # Each counts what is wrong: more than nothing is an alarm.
  alarms = {
    failed = {
      severity = 1
      text     = "Invocations failed or the handler wrote an error: the log says why and what to do."
      periods  = 1
      query    = <<-EOT
        union
          (requests | where success == false | project timestamp),
          (${trimspace(local.lines)}
           | where tostring(line.severityLevel) == "Error" | project timestamp)
        | summarize wrong = count()
      EOT
    }
    sweep-missing = {
      severity = 0
      text     = "No key was looked at by a sweep for ${local.patience_minutes} minutes: the watchdog is blind. Is the function app running, the package deployed, the host's storage reachable?"
      periods  = 1
      query    = <<-EOT
        ${trimspace(local.lines)}
        | where tostring(line.message) == "handled" and tostring(line.kind) == "tick"
        | summarize sweeps = count()
        | project wrong = iff(sweeps == 0, 1, 0)
      EOT
    }
    judgement-old = {
      severity = 1
      text     = "A key was last judged more than ${local.patience_minutes} minutes ago: looks at it fail. The log's lines for the key say why."
      periods  = 1
      query    = <<-EOT
        ${trimspace(local.lines)}
        | where tostring(line.message) == "handled" and tolong(line.judgement_age_ms) > ${local.patience_minutes * 60000}
        | summarize wrong = dcount(tostring(line.key))
      EOT
    }
    unrestored = {
      severity = 0
      text     = "A key is broken, nobody said that it is meant, and access was not given back within ten minutes."
      periods  = 2
      query    = <<-EOT
        ${trimspace(local.lines)}
        | where tostring(line.message) == "handled"
        | summarize arg_max(timestamp, line) by key = tostring(line.key)
        | where tobool(line.unrestored)
        | summarize wrong = count()
      EOT
    }
  }
}

# https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-types#log-alerts
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each             = local.alarms
  name                 = "${var.name}-${each.key}"
  resource_group_name  = azurerm_resource_group.this.name
  location             = azurerm_resource_group.this.location
  scopes               = [azurerm_application_insights.this.id]
  description          = each.value.text
  severity             = each.value.severity
  evaluation_frequency = "PT5M"
  window_duration      = each.key == "unrestored" ? "PT15M" : "PT${local.patience_minutes}M"
  # The tables come with the first line that is written, after this.
  skip_query_validation   = true
  auto_mitigation_enabled = true
  tags                    = var.tags

  criteria {
    query                   = each.value.query
    metric_measure_column   = "wrong"
    time_aggregation_method = "Total"
    operator                = "GreaterThan"
    threshold               = 0

    failing_periods {
      number_of_evaluation_periods             = each.value.periods
      minimum_failing_periods_to_trigger_alert = each.value.periods
    }
  }

  dynamic "action" {
    for_each = length(var.alarm_action_groups) > 0 ? [var.alarm_action_groups] : []
    content {
      action_groups = action.value
    }
  }
}

# Whoever silences the watchdog does it here: at the app, what calls it, its
# identity and rights, its store, or these alarms. A deployment announces itself
# by the same alarm. The second one lies in the other resource group, so that
# neither can be removed unseen.
locals {
  tampering = {
    app = {
      resource_group = azurerm_resource_group.this.name
      types = [
        "Microsoft.Web/sites", "Microsoft.Web/serverfarms", "Microsoft.EventGrid/systemTopics", "Microsoft.EventGrid/systemTopics/eventSubscriptions",
        "Microsoft.ManagedIdentity/userAssignedIdentities", "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/roleDefinitions", "Microsoft.Authorization/locks",
        "Microsoft.Storage/storageAccounts", "Microsoft.Storage/storageAccounts/blobServices/containers", "Microsoft.Storage/storageAccounts/managementPolicies",
        "Microsoft.Insights/activityLogAlerts", # the other of the two
        "Microsoft.Resources/subscriptions/resourceGroups",
      ]
    }
    alarms = {
      resource_group = azurerm_resource_group.identity.name
      types = [
        "Microsoft.Insights/activityLogAlerts", "Microsoft.Insights/scheduledQueryRules", "Microsoft.Insights/metricAlerts", "Microsoft.Insights/components",
        "Microsoft.Insights/diagnosticSettings", "Microsoft.OperationalInsights/workspaces", "Microsoft.OperationalInsights/workspaces/savedSearches",
        "Microsoft.Authorization/locks", "Microsoft.Resources/subscriptions/resourceGroups",
      ]
    }
  }
}

# https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-types#activity-log-alerts
resource "azurerm_monitor_activity_log_alert" "tampering" {
  for_each            = local.tampering
  name                = "${var.name}-tampering-${each.key}"
  resource_group_name = each.value.resource_group
  location            = "global"
  scopes              = distinct([azurerm_resource_group.this.id, azurerm_resource_group.identity.id, var.store_resource_group_id])
  description         = "Something of byokwatch itself was changed or removed. Was that you?"
  tags                = var.tags

  criteria {
    category       = "Administrative"
    resource_types = each.value.types
    statuses       = ["Succeeded"]
  }

  dynamic "action" {
    for_each = var.alarm_action_groups
    content {
      action_group_id = action.value
    }
  }
}
