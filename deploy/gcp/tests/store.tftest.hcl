# The submodule that outlives the watchdog.

mock_provider "google" {}

run "with_a_path" {
  command = plan
  module {
    source = "./store"
  }
  variables {
    project  = "acme-byokwatch"
    location = "us-west1"
    bucket   = "acme-byokwatch"
    prefix   = "prod"
  }

  assert {
    condition     = google_storage_bucket.store.versioning[0].enabled && google_storage_bucket.store.uniform_bucket_level_access && google_storage_bucket.store.public_access_prevention == "enforced"
    error_message = "The store keeps versions, and is nobody's by an object's own list."
  }
  assert {
    condition     = toset(google_storage_bucket.store.lifecycle_rule[0].condition[*].matches_prefix...) == toset(["prod/records/", "prod/requests/"])
    error_message = "Only old states of records and requests are ever deleted by rule."
  }
  assert {
    condition     = length(google_storage_bucket.store.retention_policy) == 0 && google_storage_bucket.packages.retention_policy[0].retention_period == 2592000 && google_storage_bucket.packages.name == "acme-byokwatch-packages"
    error_message = "Retention is where objects are only created: on packages."
  }
}

run "without_a_path" {
  command = plan
  module {
    source = "./store"
  }
  variables {
    project  = "acme-byokwatch"
    location = "EU"
    bucket   = "acme-byokwatch"
  }

  assert {
    condition     = toset(google_storage_bucket.store.lifecycle_rule[0].condition[*].matches_prefix...) == toset(["records/", "requests/"])
    error_message = "Without a path the store begins at the bucket's top."
  }
}

run "recoverable_for_longer_than_there_is" {
  command = plan
  module {
    source = "./store"
  }
  variables {
    project          = "acme-byokwatch"
    location         = "EU"
    bucket           = "acme-byokwatch"
    recoverable_days = 91
  }
  expect_failures = [var.recoverable_days]
}
