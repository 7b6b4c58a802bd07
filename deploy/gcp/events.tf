# Audit log → sink → topic → push. One sink with one filter hears what some
# thirty Eventarc triggers would, also of folders and the organisation; and the
# subscription is ours, with its patience and its dead letters.

locals {
  # A method is its bare name or what follows a dot, as the decoder takes it.
  # [.] because a backslash would have to survive two kinds of quotes.
  methods = { for e in local.events : e.service => replace(e.method, ".", "[.]")... }
  heard = join(" OR ", [
    for service in sort(keys(local.methods)) :
    "(protoPayload.serviceName=\"${service}\" AND protoPayload.methodName=~\"(^|[.])(${join("|", local.methods[service])})$\")"
  ])

  # Only the Admin Activity log, which nobody can switch off. An entry is in the
  # log of the project whose resource it is about, so a sink of a folder or an
  # organisation leaves out the logs of other projects without losing an event:
  # https://docs.cloud.google.com/logging/docs/audit
  activity = "logs/cloudaudit.googleapis.com%2Factivity"
  logs = {
    for p in local.projects : p => "logName=\"projects/${p}/${local.activity}\""
  }
  above = "logName=~\"^(folders|organizations)/[0-9]+/logs/cloudaudit[.]googleapis[.]com%2Factivity$\""
  from  = join(" OR ", concat([for p in sort(local.key_projects) : local.logs[p]], [for l in [local.above] : l if var.scope != "project"]))

  # A call that failed changed nothing. Whoever lacks the rights to change a key
  # must not be able to keep the watchdog busy by trying.
  succeeded = "NOT protoPayload.status.code>0"

  filter = "(${local.from}) AND ${local.succeeded} AND (${local.heard})"

  sinks = concat(
    [for s in google_logging_project_sink.events : s.writer_identity],
    [for s in google_logging_folder_sink.events : s.writer_identity],
    [for s in google_logging_organization_sink.events : s.writer_identity],
  )
}

resource "google_pubsub_topic" "events" {
  project = var.project
  name    = "${local.name}-events"
  labels  = var.labels
  # Google's own encryption: a key that byokwatch watches must not be able to
  # stop it.
  depends_on = [google_project_service.api]
}

resource "google_logging_project_sink" "events" {
  for_each = toset([for p in local.key_projects : p if var.scope == "project"])

  project                = each.value
  name                   = local.name
  description            = "What may change who can use keys of Cloud KMS, for byokwatch"
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.events.id}"
  filter                 = local.filter
  unique_writer_identity = true

  lifecycle {
    precondition {
      condition     = length(local.filter) <= 20000
      error_message = "The filter has ${length(local.filter)} characters; Cloud Logging takes 20,000. Split the keys over several watchdogs."
    }
  }
  depends_on = [google_project_service.api]
}

# intercept_children stays off: other sinks below are to hear the same.
resource "google_logging_folder_sink" "events" {
  count = var.scope == "folder" ? 1 : 0

  folder           = var.folder
  name             = local.name
  description      = "What may change who can use keys of Cloud KMS, for byokwatch"
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.events.id}"
  filter           = local.filter
  include_children = true

  lifecycle {
    precondition {
      condition     = var.folder != null
      error_message = "scope folder needs folder: the number of the folder above the keys' projects."
    }
    precondition {
      condition     = length(local.filter) <= 20000
      error_message = "The filter has ${length(local.filter)} characters; Cloud Logging takes 20,000. Split the keys over several watchdogs."
    }
  }
}

resource "google_logging_organization_sink" "events" {
  count = var.scope == "organization" ? 1 : 0

  org_id           = var.organization
  name             = local.name
  description      = "What may change who can use keys of Cloud KMS, for byokwatch"
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.events.id}"
  filter           = local.filter
  include_children = true

  lifecycle {
    precondition {
      condition     = var.organization != null
      error_message = "scope organization needs organization: its number."
    }
    precondition {
      condition     = length(local.filter) <= 20000
      error_message = "The filter has ${length(local.filter)} characters; Cloud Logging takes 20,000. Split the keys over several watchdogs."
    }
  }
}

# Each sink writes as an account of its own, known only once it is there.
resource "google_pubsub_topic_iam_member" "sink" {
  count = var.scope == "project" ? length(local.key_projects) : 1

  project = var.project
  topic   = google_pubsub_topic.events.name
  role    = "roles/pubsub.publisher"
  member  = local.sinks[count.index]
}

resource "google_pubsub_subscription" "events" {
  project = var.project
  name    = "${local.name}-events"
  topic   = google_pubsub_topic.events.id
  labels  = var.labels

  # As long as a delivery may be worked on, and the most there is. What can't be
  # handled comes back after ten seconds, later every ten minutes: 100 attempts
  # are some 15 hours of somebody's outage; then it is kept as a dead letter.
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s" # a week

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 100
  }
  expiration_policy {
    ttl = "" # never: a quiet month is what one hopes for
  }
  push_config {
    push_endpoint = google_cloud_run_v2_service.watchdog["events"].uri
    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloud_run_v2_service.watchdog["events"].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

resource "google_pubsub_topic" "dead_letters" {
  project    = var.project
  name       = "${local.name}-dead-letters"
  labels     = var.labels
  depends_on = [google_project_service.api]
}

# A topic without a subscription keeps nothing.
resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project
  name                       = "${local.name}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  labels                     = var.labels
  message_retention_duration = "2678400s" # 31 days, the most there is
  ack_deadline_seconds       = 600

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub's service agent moves messages there, and takes them off the
# subscription: https://docs.cloud.google.com/pubsub/docs/handling-failures
resource "google_pubsub_topic_iam_member" "dead_letters" {
  project = var.project
  topic   = google_pubsub_topic.dead_letters.name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  project      = var.project
  subscription = google_pubsub_subscription.events.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
