# What each handled change logs, as metrics: https://docs.cloud.google.com/logging/docs/logs-based-metrics
# The keys' names are labels, so that one can ask after one key; there are few.

locals {
  ours    = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for s in values(local.services) : "\"${s.name}\""])})"
  handled = "${local.ours} AND jsonPayload.message=\"handled\""

  metrics = {
    "byokwatch.keys" = {
      about  = "Looks of sweeps at a key, by verdict"
      filter = "jsonPayload.kind=\"tick\""
      value  = null
      labels = { verdict = "jsonPayload.verdict" }
    }
    "byokwatch.unrestored" = {
      about  = "Looks that left a key broken that nobody means to be"
      filter = "jsonPayload.unrestored=true"
      value  = null
      labels = { key = "jsonPayload.key" }
    }
    "byokwatch.event_lag" = {
      about  = "From the event to the look"
      filter = "NOT jsonPayload.kind=\"tick\" AND jsonPayload.event_lag_ms>=0"
      value  = "jsonPayload.event_lag_ms"
      labels = {}
    }
    "byokwatch.restore_duration" = {
      about  = "From the loss of access to its return"
      filter = "jsonPayload.restore_duration_ms>=0"
      value  = "jsonPayload.restore_duration_ms"
      labels = { key = "jsonPayload.key" }
    }
    "byokwatch.judgement_age" = {
      about  = "How old the last judgement of a key is"
      filter = "jsonPayload.judgement_age_ms>=0"
      value  = "jsonPayload.judgement_age_ms"
      labels = { key = "jsonPayload.key" }
    }
  }
}

resource "google_logging_metric" "metric" {
  for_each = local.metrics

  project          = var.project
  name             = each.key
  description      = each.value.about
  filter           = "${local.handled} AND ${each.value.filter}"
  value_extractor  = each.value.value == null ? null : "EXTRACT(${each.value.value})"
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(${field})" }

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = each.value.value == null ? "INT64" : "DISTRIBUTION"
    unit         = each.value.value == null ? "1" : "ms"
    display_name = each.key

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  # From 10 ms to thirty hours, each bucket half as wide again as the last.
  dynamic "bucket_options" {
    for_each = compact([each.value.value])
    content {
      exponential_buckets {
        num_finite_buckets = 40
        growth_factor      = 1.5
        scale              = 10
      }
    }
  }
  depends_on = [google_project_service.api]
}
