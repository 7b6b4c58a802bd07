# The rights of functions/gcp/permissions.json: one custom role of each entry,
# bound where it says, under the condition it says. Only ever members are added:
# a resource that owns a whole policy or role would take away what others gave,
# which is the very accident that byokwatch is there for.

locals {
  store_objects = "projects/_/buckets/${var.deployment.store.bucket}/objects/${var.deployment.store.prefix == "" ? "" : "${var.deployment.store.prefix}/"}"

  # What the names of permissions.json stand for here, by the project that the
  # role has to be one of: a project's custom role can be bound in it only
  # (https://docs.cloud.google.com/iam/docs/creating-custom-roles).
  scopes = {
    project  = [for p in sort(local.key_projects) : { project = p, name = "projects/${p}" }]
    enforced = [for k in sort(var.deployment.scopes.enforced) : { project = split("/", k)[1], name = k }]
    enabling = [for k in sort(var.deployment.scopes.enabling) : { project = split("/", k)[1], name = k }]
    bucket   = [{ project = local.store_project, name = "projects/_/buckets/${var.deployment.store.bucket}" }]
    records  = [{ project = local.store_project, name = "${local.store_objects}records/" }]
    kept     = [{ project = local.store_project, name = "${local.store_objects}kept/" }]
    requests = [{ project = local.store_project, name = "${local.store_objects}requests/" }]
    configuration = [for c in var.configuration[*] : {
      project = local.store_project
      name    = replace(c.url, "/^gs://([^/]+)/(.+)$/", "projects/_/buckets/$1/objects/$2")
    }]
    secrets      = [for name in sort(keys(local.secrets)) : { project = local.secrets[name].project, name = name }]
    organization = [for o in var.organization[*] : { project = "", name = "organizations/${o}" } if var.read_above]
  }

  entries = concat(
    local.rights.reading,
    [for r in local.rights.restoring : r if var.deployment.mode == "enforce"],
    [for r in local.rights.optional : r if var.read_above],
    local.rights.platform,
  )

  # One binding for each name. A policy takes 20 bindings of one role to one
  # member, and a condition 12 operators, so where a project has more keys six of
  # them share one: https://docs.cloud.google.com/iam/quotas
  most_bindings  = 20
  most_per_group = 6
  bindings = flatten([
    for entry in local.entries : [
      for set in entry.on : [
        for project in distinct([for s in local.scopes[set] : s.project]) : [
          for names in chunklist(
            [for s in local.scopes[set] : s.name if s.project == project],
            length([for s in local.scopes[set] : s if s.project == project]) > local.most_bindings ? local.most_per_group : 1,
            ) : {
            key       = "${project}/${entry.id}/${set}/${names[0]}"
            role      = "${project}/${entry.id}"
            entry     = entry
            at        = entry.at
            project   = project
            set       = set
            name      = names[0]
            condition = contains(keys(entry), "condition") ? join(" || ", [for n in names : replace(entry.condition, "NAME", n)]) : ""
          }
        ]
      ]
    ]
  ])

  at_project      = { for b in local.bindings : b.key => b if b.at == "project" }
  at_bucket       = { for b in local.bindings : b.key => b if b.at == "bucket" }
  at_secrets      = { for b in local.bindings : b.key => b if b.at == "secrets" }
  at_organization = { for b in local.bindings : b.key => b if b.at == "organization" }

  # The roles that these need, by project.
  roles = { for role, list in { for b in local.bindings : b.role => b... if b.at != "organization" } : role => list[0] }
}

resource "google_project_iam_custom_role" "right" {
  for_each = local.roles

  project     = each.value.project
  role_id     = each.value.entry.id
  title       = "byokwatch: ${each.value.entry.id}"
  description = substr(each.value.entry.why, 0, 256)
  permissions = each.value.entry.permissions
  stage       = "GA"
  depends_on  = [google_project_service.api]
}

# On the project, not on keys: rights that stand in a key's policy are gone with
# it when somebody wipes it.
resource "google_project_iam_member" "right" {
  for_each = local.at_project

  project = each.value.project
  role    = google_project_iam_custom_role.right[each.value.role].name
  member  = local.service_member

  dynamic "condition" {
    for_each = compact([each.value.condition])
    content {
      title       = "byokwatch ${each.value.set}"
      description = "Only protected keys: the expression names them."
      expression  = condition.value
    }
  }

  lifecycle {
    # Never a moment without the right.
    create_before_destroy = true
    precondition {
      condition     = length([for s in local.scopes[each.value.set] : s if s.project == each.value.project]) <= local.most_bindings * local.most_per_group
      error_message = "${each.value.project} has more than ${local.most_bindings * local.most_per_group} keys that are ${each.value.set}: IAM has no room for more conditions in one policy. Leave some of them to mode observe, or spread keys over projects."
    }
  }
}

resource "google_storage_bucket_iam_member" "right" {
  for_each = local.at_bucket

  bucket = split("/", each.value.name)[3]
  role   = google_project_iam_custom_role.right[each.value.role].name
  member = local.service_member

  dynamic "condition" {
    for_each = compact([each.value.condition])
    content {
      title       = "byokwatch ${each.value.set}"
      description = "Only this part of the bucket."
      expression  = condition.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_iam_member" "right" {
  for_each = local.at_secrets

  project   = each.value.project
  secret_id = local.secrets[each.value.name].secret
  role      = google_project_iam_custom_role.right[each.value.role].name
  member    = local.service_member
}

resource "google_organization_iam_custom_role" "right" {
  for_each = { for b in local.at_organization : b.entry.id => b }

  org_id      = var.organization
  role_id     = each.key
  title       = "byokwatch: ${each.key}"
  description = substr(each.value.entry.why, 0, 256)
  permissions = each.value.entry.permissions
  stage       = "GA"
}

resource "google_organization_iam_member" "right" {
  for_each = local.at_organization

  org_id = var.organization
  role   = google_organization_iam_custom_role.right[each.value.entry.id].name
  member = local.service_member
}

# Who may write a key's policy could grant itself the use of that key, except
# against this.
resource "google_iam_deny_policy" "watchdog" {
  for_each = toset([for p in local.key_projects : p if var.deny_policy])

  parent       = urlencode("cloudresourcemanager.googleapis.com/projects/${each.value}")
  name         = local.name
  display_name = "What byokwatch may never do with keys"

  rules {
    description = "Whatever a key's policy says by now"
    deny_rule {
      denied_principals  = ["principal://iam.googleapis.com/projects/-/serviceAccounts/${google_service_account.watchdog.email}"]
      denied_permissions = local.rights.deny.permissions
    }
  }
}

# Operators read the store and write requests/, which the watchdog only reads.
# To upload over an object takes the right to delete it, and a list is checked
# against the bucket, so that no condition on an object's name reaches it:
# https://docs.cloud.google.com/storage/docs/access-control/iam-json
locals {
  operator_roles = length(var.operators) == 0 ? {} : {
    byokwatchOperatorReads  = { permissions = ["storage.objects.get", "storage.objects.list"], condition = "" }
    byokwatchOperatorWrites = { permissions = ["storage.objects.create", "storage.objects.delete"], condition = "resource.name.startsWith(\"${local.store_objects}requests/\")" }
  }
}

resource "google_project_iam_custom_role" "operator" {
  for_each = local.operator_roles

  project     = local.store_project
  role_id     = each.key
  title       = "byokwatch: ${each.key}"
  description = "People who hold and release keys and accept policies"
  permissions = each.value.permissions
  stage       = "GA"
  depends_on  = [google_project_service.api]
}

resource "google_storage_bucket_iam_member" "operator" {
  for_each = { for pair in setproduct(keys(local.operator_roles), var.operators) : "${pair[0]}/${pair[1]}" => pair }

  bucket = var.deployment.store.bucket
  role   = google_project_iam_custom_role.operator[each.value[0]].name
  member = each.value[1]

  dynamic "condition" {
    for_each = compact([local.operator_roles[each.value[0]].condition])
    content {
      title       = "byokwatch requests"
      description = "Only what operators ask for; never records or snapshots."
      expression  = condition.value
    }
  }
}
