# How the package is shipped. Cloud Run deploys an archive from Cloud Storage
# onto a base image of Google's, without a build:
# https://docs.cloud.google.com/run/docs/deploying-source-code#deploy_from_source_without_build
# and, for a binary, https://docs.cloud.google.com/docs/buildpacks/osonly.
# One apply does it all: no registry, no Docker, no builder with rights of its
# own, and the operating system below is patched without us. The archive is a
# .tar.gz: that is what gcloud uploads, and what the provider's own example uses:
# https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/cloud_run_v2_service
# Google still calls this a preview, which is why google-beta is needed. Who may
# not use previews gives an image in place of the package (variable image): the
# same archive as one layer on a base of their own, by a tool that needs no Docker:
# https://github.com/google/go-containerregistry/blob/main/cmd/crane/doc/crane_append.md

locals {
  object = var.package == null ? null : "byokwatch-gcp-${filesha256(var.package)}.tar.gz"

  # Two services of the same code and identity, so that a flood of events never
  # keeps the sweep from running, nor the other way round.
  services = {
    # What events of one key have in common is collapsed by leases, so a few
    # instances do. Handling is waiting for APIs, and eight at a time share one
    # configuration in memory; more instances would only press on the quota of
    # Cloud KMS, half of which is to stay free.
    events = { name = local.name, instances = 3, concurrency = 8 }
    # One sweep at a time: a second one would look at the same keys.
    sweep = { name = "${local.name}-sweep", instances = 1, concurrency = 1 }
  }
}

resource "google_service_account" "watchdog" {
  project      = var.project
  account_id   = local.name
  display_name = "byokwatch: watches keys of Cloud KMS"
  depends_on   = [google_project_service.api]
}

resource "google_storage_bucket_object" "package" {
  count = var.package == null ? 0 : 1

  bucket = local.package_bucket
  # A name is used for the same bytes only, so a revision can't be given others.
  name         = local.object
  source       = var.package
  content_type = "application/gzip"
  # An old package stays for going back; the bucket retains it anyway.
  deletion_policy = "ABANDON"
}

# Cloud Run fetches the package with its service agent.
resource "google_storage_bucket_iam_member" "package" {
  count = var.package == null ? 0 : 1

  bucket     = local.package_bucket
  role       = "roles/storage.objectViewer"
  member     = local.run_agent
  depends_on = [google_project_service.api]
}

resource "google_cloud_run_v2_service" "watchdog" {
  for_each = local.services
  provider = google-beta

  project  = var.project
  location = var.region
  name     = each.value.name
  labels   = var.labels
  # Pub/Sub of the same project counts as internal; nobody else has a reason to
  # call: https://docs.cloud.google.com/run/docs/securing/ingress
  ingress              = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invoker_iam_disabled = false
  # It holds nothing: what must outlive it is in the store.
  deletion_protection = false
  launch_stage        = var.package == null ? "GA" : "BETA"

  template {
    service_account                  = google_service_account.watchdog.email
    max_instance_request_concurrency = each.value.concurrency
    # Longer than the function ever works (nine and a half minutes), and as long
    # as Pub/Sub waits for an answer.
    timeout = "600s"

    scaling {
      min_instance_count = 0
      max_instance_count = each.value.instances
    }

    containers {
      image          = var.package == null ? var.image : "scratch"
      base_image_uri = var.package == null ? null : coalesce(var.base_image, "${var.region}-docker.pkg.dev/serverless-runtimes/google-24/runtimes/osonly24")
      command        = ["./byokwatch-gcp"]
      working_dir    = var.package == null ? "/" : null # of a package it is where that is unpacked

      dynamic "source_code" {
        for_each = google_storage_bucket_object.package
        content {
          cloud_storage_source {
            bucket     = source_code.value.bucket
            object     = source_code.value.name
            generation = source_code.value.generation
          }
        }
      }

      dynamic "env" {
        for_each = merge({
          BYOKWATCH_CONFIG  = var.configuration == null ? "byokwatch.yaml" : var.configuration.url
          BYOKWATCH_SELF    = google_service_account.watchdog.email
          BYOKWATCH_SECRETS = "/secrets"
        }, var.configuration == null ? {} : { BYOKWATCH_CONFIG_SHA256 = var.configuration.sha256 })
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        limits            = { cpu = "1", memory = "512Mi" }
        cpu_idle          = true # paid for while a request is handled
        startup_cpu_boost = true
      }

      dynamic "volume_mounts" {
        for_each = local.secrets
        content {
          name       = "secret-${substr(sha256(volume_mounts.key), 0, 12)}"
          mount_path = "/secrets/${volume_mounts.key}"
        }
      }
    }

    # A file of such a volume is the newest version whenever it is read, where an
    # environment variable would keep that of the instance's start:
    # https://docs.cloud.google.com/run/docs/configuring/services/secrets
    dynamic "volumes" {
      for_each = local.secrets
      content {
        name = "secret-${substr(sha256(volumes.key), 0, 12)}"
        secret {
          secret       = volumes.value.project == var.project ? volumes.value.secret : "projects/${volumes.value.project}/secrets/${volumes.value.secret}"
          default_mode = 292 # 0444: the container has no other users
          items {
            path    = "value"
            version = "latest"
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = (var.package == null) != (var.image == null)
      error_message = "Give either package, which make package CONFIG=byokwatch.yaml makes, or image."
    }
    precondition {
      condition     = !var.read_above || var.organization != null
      error_message = "read_above needs organization: its number."
    }
    precondition {
      condition     = length(setsubtract(var.deployment.secrets, keys(var.secrets))) == 0
      error_message = "The configuration names secrets that the variable secrets does not map to Secret Manager: ${join(", ", setsubtract(var.deployment.secrets, keys(var.secrets)))}."
    }
  }

  # Without the rights a revision's first look would fail, and Cloud Run refuses
  # one that can't read its secrets.
  depends_on = [
    google_project_iam_member.right,
    google_storage_bucket_iam_member.right,
    google_secret_manager_secret_iam_member.right,
    google_storage_bucket_iam_member.package,
  ]
}

# Pub/Sub calls as this account, which may do nothing else. It is the only one
# that may invoke: nothing is allowed to everybody.
resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${local.name}-push"
  display_name = "byokwatch: as which Pub/Sub delivers"
  depends_on   = [google_project_service.api]
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = google_cloud_run_v2_service.watchdog

  project  = each.value.project
  location = each.value.location
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.push.email}"
}

# Pub/Sub makes tokens of that account. Its service agent may since 2021; in
# older projects somebody has to let it:
# https://docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions
resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.pubsub_agent
  # The agent comes into being with the first use of the API.
  depends_on = [google_pubsub_topic.events]
}
