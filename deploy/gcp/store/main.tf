# What must outlive the watchdog, apart from it so that it can be destroyed alone.
#
# Both buckets have Google's own encryption: one with a key that byokwatch
# watches would be out of reach just when it is needed.

resource "google_storage_bucket" "store" {
  project  = var.project
  name     = var.bucket
  location = var.location
  labels   = var.labels

  uniform_bucket_level_access = true # conditions on objects need it
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }
  # Whoever deletes, the owner included, deletes for good only after this.
  soft_delete_policy {
    retention_duration_seconds = var.recoverable_days * 86400
  }
  # A bucket's retention policy holds for every object, and records/ are replaced,
  # so it can't be used for kept/ beside them; nor can it with versioning. What is
  # in kept/ is safe in other ways: nobody's role here may delete or replace it,
  # versions outlive both, and soft delete outlives versions. Where a law asks for
  # more, this lets somebody else than the watchdog lock single objects:
  # https://docs.cloud.google.com/storage/docs/object-lock
  enable_object_retention = true

  # Old states of records; snapshots and incidents in kept/ stay.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
      matches_prefix             = ["${var.prefix == "" ? "" : "${var.prefix}/"}records/", "${var.prefix == "" ? "" : "${var.prefix}/"}requests/"]
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# A package's name holds its sum, so objects here are created and never replaced,
# and a retention policy fits: what runs, and what one would go back to, can't be
# taken away for a while. It rules out versioning, which would have nothing to do.
resource "google_storage_bucket" "packages" {
  project  = var.project
  name     = coalesce(var.package_bucket, "${var.bucket}-packages")
  location = var.location
  labels   = var.labels

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  retention_policy {
    retention_period = 30 * 86400
  }
  soft_delete_policy {
    retention_duration_seconds = 7 * 86400
  }

  lifecycle {
    prevent_destroy = true
  }
}
