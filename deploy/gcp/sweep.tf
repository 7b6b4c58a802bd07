# The sweep: every minute or five, whatever events say or don't.

resource "google_pubsub_topic" "sweep" {
  project    = var.project
  name       = "${local.name}-sweep"
  labels     = var.labels
  depends_on = [google_project_service.api]
}

resource "google_cloud_scheduler_job" "sweep" {
  project     = var.project
  region      = var.region
  name        = "${local.name}-sweep"
  description = "Look at every key"
  schedule    = "*/${var.deployment.sweep_minutes} * * * *"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.sweep.id
    data       = base64encode(jsonencode({ kind = "sweep" }))
  }
  # The next one is the retry.
  retry_config {
    retry_count = 0
  }
  depends_on = [google_project_service.api]
}

# A sweep that can't be delivered, because one is still running or the service
# is ill, is not worth keeping: the next one looks at the same keys. So a tick is
# tried again after ten minutes at the earliest, and forgotten by then; ticks
# never pile up, and there is no dead letter for them. That sweeps end altogether
# is told by the alert on the age of judgements.
resource "google_pubsub_subscription" "sweep" {
  project = var.project
  name    = "${local.name}-sweep"
  topic   = google_pubsub_topic.sweep.id
  labels  = var.labels

  ack_deadline_seconds       = 600
  message_retention_duration = "600s"

  retry_policy {
    minimum_backoff = "600s"
    maximum_backoff = "600s"
  }
  expiration_policy {
    ttl = ""
  }
  push_config {
    push_endpoint = google_cloud_run_v2_service.watchdog["sweep"].uri
    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloud_run_v2_service.watchdog["sweep"].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}
