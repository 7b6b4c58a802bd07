# Logs. The handler writes one JSON object a line; the Functions host hands each
# on under the category Host.Function.Console, and Application Insights keeps it
# as the message of a trace.

resource "azurerm_log_analytics_workspace" "this" {
  name                         = var.name
  resource_group_name          = azurerm_resource_group.this.name
  location                     = azurerm_resource_group.this.location
  sku                          = "PerGB2018"
  retention_in_days            = var.log_retention_days
  local_authentication_enabled = false
  tags                         = var.tags
}

resource "azurerm_application_insights" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  workspace_id        = azurerm_log_analytics_workspace.this.id
  application_type    = "other"
  # Only who has the role Monitoring Metrics Publisher may send: nobody can make
  # a dead watchdog look alive with a connection string.
  # https://learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication
  local_authentication_disabled = true
  tags                          = var.tags
}

# The metrics, as a function of the workspace: byokwatch() | summarize … by key.
resource "azurerm_log_analytics_saved_search" "handled" {
  name                       = "byokwatch"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
  category                   = "byokwatch"
  display_name               = "What was handled, key by key"
  function_alias             = "byokwatch"
  query                      = <<-EOT
    AppTraces
    | where Message startswith "{"
    | extend line = parse_json(Message)
    | where tostring(line.message) == "handled"
    | project TimeGenerated, key = tostring(line.key), label = tostring(line.label), kind = tostring(line.kind),
        verdict = tostring(line.verdict), plan = tostring(line.plan), outcome = tostring(line.outcome),
        event_lag_ms = tolong(line.event_lag_ms), restore_duration_ms = tolong(line.restore_duration_ms),
        judgement_age_ms = tolong(line.judgement_age_ms), unrestored = tobool(line.unrestored)
  EOT
}
