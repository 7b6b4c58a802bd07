# What a plan must look like, with the providers played.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "google-beta" {}

variables {
  deployment = jsondecode(file("../testdata/gcp.json"))
  project    = "acme-byokwatch"
  region     = "us-west1"
  package    = "tests/package.tar.gz"
  secrets    = { SLACK_WEBHOOK_URL = "slack-webhook-url" }
}

run "enforcing" {
  command = plan

  assert {
    condition     = length([for m in google_project_iam_member.right : m if length(m.condition) > 0]) == length(var.deployment.scopes.enforced) + length(var.deployment.scopes.enabling)
    error_message = "Each enforced key, and each whose state is restored, has one conditioned binding of its own."
  }
  assert {
    condition     = alltrue([for s in google_cloud_run_v2_service.watchdog : s.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"])
    error_message = "The services take calls from inside only."
  }
  assert {
    condition     = google_cloud_run_v2_service.watchdog["events"].template[0].containers[0].image == "scratch" && length(google_cloud_run_v2_service.watchdog["events"].template[0].containers[0].source_code) == 1
    error_message = "The package is shipped without a build."
  }
  assert {
    condition     = alltrue([for s in google_cloud_run_v2_service.watchdog : s.template[0].volumes[0].secret[0].items[0].path == "value" && s.template[0].volumes[0].secret[0].items[0].version == "latest" && s.template[0].containers[0].volume_mounts[0].mount_path == "/secrets/SLACK_WEBHOOK_URL"])
    error_message = "A secret is the file /secrets/NAME/value, of the newest version."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep.schedule == "*/${var.deployment.sweep_minutes} * * * *"
    error_message = "The sweep comes as often as the deployment says."
  }
  assert {
    condition     = length(google_iam_deny_policy.watchdog) == 0 && length(google_organization_iam_member.right) == 0 && length(google_storage_bucket_iam_member.operator) == 0
    error_message = "Nothing that takes rights above the project, and nobody's rights, unless asked for."
  }
  assert {
    condition     = length([for w in output.warnings : w if startswith(w, "No notification channel")]) == length(setunion(var.deployment.projects, [var.project]))
    error_message = "A project without a channel is warned of."
  }
}

run "observing" {
  command = plan
  variables {
    deployment = merge(jsondecode(file("../testdata/gcp.json")), {
      mode   = "observe"
      scopes = merge(jsondecode(file("../testdata/gcp.json")).scopes, { enforced = [], enabling = [] })
    })
  }

  assert {
    condition     = !anytrue([for r in google_project_iam_custom_role.right : anytrue([for p in r.permissions : can(regex("setIamPolicy$|[.]update$", p))])])
    error_message = "Mode observe gives no right to change a key."
  }
  assert {
    condition     = length([for m in google_project_iam_member.right : m if length(m.condition) > 0]) == 0
    error_message = "Mode observe binds nothing to single keys."
  }
}

run "a_secret_is_missing" {
  command = plan
  variables {
    secrets = { OTHER = "other" }
  }
  expect_failures = [google_cloud_run_v2_service.watchdog]
}

run "neither_package_nor_image" {
  command = plan
  variables {
    package = null
  }
  expect_failures = [google_cloud_run_v2_service.watchdog]
}

run "an_image_by_tag" {
  command = plan
  variables {
    package = null
    image   = "us-west1-docker.pkg.dev/acme/tools/byokwatch:latest"
  }
  expect_failures = [var.image]
}

run "an_image_by_digest" {
  command = plan
  variables {
    package = null
    image   = "us-west1-docker.pkg.dev/acme/tools/byokwatch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = alltrue([for s in google_cloud_run_v2_service.watchdog : s.launch_stage == "GA" && length(s.template[0].containers[0].source_code) == 0 && s.template[0].containers[0].image == var.image && s.template[0].containers[0].working_dir == "/"])
    error_message = "With an image nothing of a preview is used."
  }
  assert {
    condition     = length(google_storage_bucket_object.package) == 0 && length(google_storage_bucket_iam_member.package) == 0
    error_message = "With an image no package is uploaded."
  }
}

run "of_an_organisation" {
  command = plan
  variables {
    scope        = "organization"
    organization = "8888"
    read_above   = true
    deny_policy  = true
    operators    = ["group:kms-operators@acme.example"]
  }

  assert {
    condition     = length(google_logging_organization_sink.events) == 1 && length(google_logging_project_sink.events) == 0 && google_logging_organization_sink.events[0].include_children && length(google_pubsub_topic_iam_member.sink) == 1
    error_message = "One aggregated sink, which may publish."
  }
  assert {
    condition     = strcontains(google_logging_organization_sink.events[0].filter, "folders|organizations")
    error_message = "It hears the logs above projects."
  }
  assert {
    condition     = length(google_organization_iam_member.right) == 2 && length(google_iam_deny_policy.watchdog) == length(var.deployment.projects)
    error_message = "The optional rights and the deny policies are there when asked for."
  }
  assert {
    condition     = one([for m in google_storage_bucket_iam_member.operator : m.condition[0].expression if length(m.condition) > 0]) == "resource.name.startsWith(\"projects/_/buckets/${var.deployment.store.bucket}/objects/${var.deployment.store.prefix}/requests/\")"
    error_message = "Operators write requests/ and nothing else."
  }
}

run "of_a_folder" {
  command = plan
  variables {
    scope  = "folder"
    folder = "5550001"
  }

  assert {
    condition     = length(google_logging_folder_sink.events) == 1 && google_logging_folder_sink.events[0].include_children && length(google_logging_project_sink.events) == 0
    error_message = "One aggregated sink of the folder."
  }
}

run "of_a_folder_that_is_not_named" {
  command = plan
  variables {
    scope = "folder"
  }
  expect_failures = [google_logging_folder_sink.events]
}

run "an_operator_is_everybody" {
  command = plan
  variables {
    operators = ["allAuthenticatedUsers"]
  }
  expect_failures = [var.operators]
}

run "a_configuration_in_a_bucket" {
  command = plan
  variables {
    configuration = { url = "gs://acme-config/byokwatch.yaml", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  assert {
    condition     = one([for m in google_storage_bucket_iam_member.right : m.condition[0].expression if m.bucket == "acme-config"]) == "resource.name == \"projects/_/buckets/acme-config/objects/byokwatch.yaml\""
    error_message = "The one object of the configuration may be read."
  }
  assert {
    condition     = { for e in google_cloud_run_v2_service.watchdog["sweep"].template[0].containers[0].env : e.name => e.value }["BYOKWATCH_CONFIG_SHA256"] == var.configuration.sha256
    error_message = "Its sum is pinned."
  }
}

run "for_another_cloud" {
  command = plan
  variables {
    deployment = merge(jsondecode(file("../testdata/gcp.json")), { cloud = "aws" })
  }
  expect_failures = [var.deployment]
}

# IAM takes 20 bindings of a role to a member in one policy, so more keys share them.
run "a_hundred_keys" {
  command = plan
  variables {
    deployment = merge(jsondecode(file("../testdata/gcp.json")), {
      projects = ["acme"]
      scopes = {
        keys     = [for i in range(100) : "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/k${i}"]
        enforced = [for i in range(100) : "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/k${i}"]
        enabling = []
      }
    })
  }

  assert {
    condition     = length([for m in google_project_iam_member.right : m if length(m.condition) > 0]) == 17
    error_message = "Six keys share a binding."
  }
  assert {
    condition     = alltrue([for m in google_project_iam_member.right : length(split("||", m.condition[0].expression)) <= 12 if length(m.condition) > 0])
    error_message = "No condition has more than twelve operators."
  }
}

run "too_many_keys" {
  command = plan
  variables {
    deployment = merge(jsondecode(file("../testdata/gcp.json")), {
      projects = ["acme"]
      scopes = {
        keys     = [for i in range(121) : "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/k${i}"]
        enforced = [for i in range(121) : "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/k${i}"]
        enabling = []
      }
    })
  }
  expect_failures = [google_project_iam_member.right]
}
