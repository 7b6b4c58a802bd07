# The rights of permissions.json: a custom role for each entry, assigned where it
# says. What observe has is the reading half; enforce adds the restoring one.

locals {
  entries = concat(
    local.permissions.reading,
    [for e in local.permissions.restoring : e if local.enforce],
    [for e in local.permissions.optional : e if var.see_deleted_vaults],
    local.permissions.platform,
  )

  prefix       = var.deployment.store.prefix == "" ? "" : "${var.deployment.store.prefix}/"
  rbac_vaults  = [for v in var.deployment.scopes.enforced_vaults : v if !contains(var.access_policy_vaults, v)]
  by_policy    = [for v in var.deployment.scopes.enforced_vaults : v if contains(var.access_policy_vaults, v)]
  secrets_used = { for name in var.deployment.secrets : name => var.secrets[name] if contains(keys(var.secrets), name) }

  # The sets of permissions.json: member => where the right on it is assigned,
  # what stands for NAME in the condition, and the resource group of PRINCIPALS.
  # Members are names that are known before anything is created.
  sets = {
    groups        = { for g in var.deployment.scopes.groups : g => { scope = local.canonical[g], fill = "" } }
    assigning     = { for g in distinct([for v in local.rbac_vaults : regex("^/subscriptions/[^/]+/resourcegroups/[^/]+", v)]) : g => { scope = local.canonical[g], fill = "" } }
    policyVaults  = { for v in local.by_policy : v => { scope = local.canonical[v], fill = "" } }
    firewalls     = { for v in var.deployment.scopes.firewalls : v => { scope = local.canonical[v], fill = "" } }
    enabling      = { for k in var.deployment.scopes.enabling : k => { scope = local.canonical[k], fill = "" } if !contains(var.access_policy_vaults, split("/keys/", k)[0]) }
    subscriptions = { for s in var.deployment.scopes.subscriptions : s => { scope = local.canonical[s], fill = "" } }
    container     = { store = { scope = var.store_container_id, fill = "" } }
    records       = { store = { scope = var.store_container_id, fill = "${local.prefix}records/" } }
    kept          = { store = { scope = var.store_container_id, fill = "${local.prefix}kept/" } }
    configuration = { for c in var.configuration[*] : "configuration" => { scope = c.container_id, fill = regex("^azblob://[^/]+/[^/]+/(.+)$", c.url)[0] } }
    secrets       = { for name, id in local.secrets_used : name => { scope = id, fill = "" } }
    hostStorage   = { host = { scope = azurerm_storage_account.host.id, fill = "" } }
    insights      = { app = { scope = azurerm_application_insights.this.id, fill = "" } }
  }

  assignments = { for a in flatten([
    for e in local.entries : [
      for set in e.on : [
        for member, m in local.sets[set] : {
          key       = "${e.id} ${member}"
          entry     = e.id
          scope     = m.scope
          builtin   = try(e.role, null)
          condition = try(replace(replace(e.condition, "NAME", m.fill), "PRINCIPALS", join(", ", lookup(var.deployment.principals, member, []))), null)
          secret    = contains(e.on, "secrets")
        }
      ]
    ]
  ]) : a.key => a }

  # A role's ID as the assignment's own subscription writes it. Built-in roles are
  # assigned to what is made here.
  role_ids = { for key, a in local.assignments : key => (a.builtin != null
    ? "${local.here}/providers/Microsoft.Authorization/roleDefinitions/${a.builtin}"
    : "/subscriptions/${split("/", a.scope)[2]}/providers/Microsoft.Authorization/roleDefinitions/${azurerm_role_definition.this[a.entry].role_definition_id}"
  ) }

  # Only what is assigned somewhere becomes a role.
  roles = { for e in local.entries : e.id => e if !can(e.role) && contains([for a in local.assignments : a.entry], e.id) }
}

# A custom role can be assigned in the subscriptions and resource groups that it
# names, and names no single resource:
# https://learn.microsoft.com/azure/role-based-access-control/role-definitions#assignablescopes
resource "azurerm_role_definition" "this" {
  for_each    = local.roles
  name        = "${each.key} (${var.name})"
  description = each.value.why
  scope       = azurerm_resource_group.this.id
  assignable_scopes = distinct(concat([azurerm_resource_group.this.id], [
    for a in local.assignments : regex("(?i)^/subscriptions/[^/]+(?:/resourceGroups/[^/]+)?", a.scope) if a.entry == each.key
  ]))

  permissions {
    actions      = try(each.value.actions, [])
    data_actions = try(each.value.dataActions, [])
  }
}

resource "azurerm_role_assignment" "this" {
  for_each           = { for key, a in local.assignments : key => a if !a.secret }
  scope              = each.value.scope
  role_definition_id = local.role_ids[each.key]
  principal_id       = azurerm_user_assigned_identity.this.principal_id
  principal_type     = "ServicePrincipal"
  description        = "byokwatch: ${var.name}"
  condition          = each.value.condition
  condition_version  = each.value.condition == null ? null : "2.0"

  lifecycle {
    precondition {
      condition     = !strcontains(each.value.condition == null ? "" : each.value.condition, "{}")
      error_message = "The deployment names no service principal of Confluent for ${each.key}: make it anew with `byokwatch config deployment --cloud azure`."
    }
  }
}

# Secrets are read by the platform, not by the code, and with the system-assigned
# identity: the provider has no way to name another one for it. Nor need the
# identity that may write role assignments read secrets.
resource "azurerm_role_assignment" "secrets" {
  for_each           = { for key, a in local.assignments : key => a if a.secret }
  scope              = each.value.scope
  role_definition_id = local.role_ids[each.key]
  principal_id       = azurerm_function_app_flex_consumption.this.identity[0].principal_id
  principal_type     = "ServicePrincipal"
  description        = "byokwatch: ${var.name}"
}

# Operators read everything and write requests/ only.
# https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-attributes
locals {
  blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
}

resource "azurerm_role_definition" "operators" {
  count             = length(var.operators) > 0 ? 1 : 0
  name              = "byokwatchOperate (${var.name})"
  description       = "Asking byokwatch for a hold, an acceptance or a reinstatement, and reading what it keeps."
  scope             = azurerm_resource_group.this.id
  assignable_scopes = [azurerm_resource_group.this.id, var.store_resource_group_id]

  permissions {
    data_actions = ["${local.blobs}/read", "${local.blobs}/write"]
  }
}

resource "azurerm_role_assignment" "operators" {
  for_each           = var.operators
  scope              = var.store_container_id
  role_definition_id = azurerm_role_definition.operators[0].role_definition_resource_id
  principal_id       = each.value.id
  principal_type     = each.value.type
  description        = "byokwatch: ${var.name}, operators ${each.key}"
  condition_version  = "2.0"
  condition          = "((!(ActionMatches{'${local.blobs}/write'})) OR (@Resource[${local.blobs}:path] StringStartsWith '${local.prefix}requests/'))"
}
