# The watchdog for keys of Cloud KMS: audit log → sink → topic → push → service,
# and beside it schedule → topic → push → the same code, which may do what
# functions/gcp/permissions.json says and hears what functions/gcp/events.json
# lists. Nothing is listed a second time here.

locals {
  name   = "byokwatch"
  rights = jsondecode(file("${path.module}/../../functions/gcp/permissions.json"))
  events = jsondecode(file("${path.module}/../../functions/gcp/events.json"))

  key_projects   = toset(var.deployment.projects)
  projects       = setunion([var.project], local.key_projects)
  store_project  = coalesce(var.store_project, var.project)
  package_bucket = coalesce(var.package_bucket, "${var.deployment.store.bucket}-packages")
  service_member = "serviceAccount:${google_service_account.watchdog.email}"

  # Secrets by NAME, as project and secret.
  secrets = {
    for name, id in var.secrets : name => {
      project = length(split("/", id)) == 4 ? split("/", id)[1] : var.project
      secret  = element(split("/", id), length(split("/", id)) - 1)
    }
  }

  # Service agents of the watchdog's project:
  # https://docs.cloud.google.com/iam/docs/service-agents
  pubsub_agent = "serviceAccount:service-${data.google_project.watchdog.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  run_agent    = "serviceAccount:service-${data.google_project.watchdog.number}@serverless-robot-prod.iam.gserviceaccount.com"

  # APIs by project. Those of keys have Cloud KMS, or they would have no keys.
  apis = concat(
    [for api in ["run", "pubsub", "logging", "monitoring", "cloudscheduler", "iam", "secretmanager", "storage", "cloudkms", "cloudresourcemanager"] : [var.project, api]],
    [for pair in setproduct(setsubtract(local.key_projects, [var.project]), ["logging", "monitoring", "iam", "cloudresourcemanager"]) : pair],
  )
}

data "google_project" "watchdog" {
  project_id = var.project
}

resource "google_project_service" "api" {
  for_each = var.enable_apis ? { for pair in local.apis : "${pair[0]}/${pair[1]}" => pair } : {}

  project = each.value[0]
  service = "${each.value[1]}.googleapis.com"
  # Others may use them by now.
  disable_on_destroy = false
}
