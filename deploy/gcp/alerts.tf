# What tells that the watchdog itself is not well. What it finds out about keys
# it tells by its own channels.

locals {
  # A policy can notify channels of its own project only.
  channels = {
    for p in local.projects : p => [for c in var.notification_channels : c if startswith(c, "projects/${p}/")]
  }
  runbook = "See \"The watchdog's own alarms\" in byokwatch's docs/runbook.md."

  # Three sweeps may fail before somebody is told, but never less than ten
  # minutes, in which a deployment or an outage of seconds is over.
  stale_seconds = max(600, 3 * 60 * var.deployment.sweep_minutes)

  events_subscription = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.events.name}\""
  ours_metric         = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${join("|", [for s in values(local.services) : s.name])}\")"

  # What the platform measures, by what it tells: more than "above" within
  # "seconds".
  thresholds = {
    dead-letters = {
      title   = "events could not be handled"
      about   = "Events were given up after 100 attempts and are kept in the subscription ${google_pubsub_subscription.dead_letters.name}."
      filter  = "${local.events_subscription} AND metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\""
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      above   = 0
      seconds = 300
    }
    undelivered = {
      title   = "events wait"
      about   = "The oldest event has waited for a quarter of an hour: the service is gone, not allowed to be invoked, or fails."
      filter  = "${local.events_subscription} AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_MAX"
      above   = 900
      seconds = 60
    }
    failing = {
      title   = "the service fails"
      about   = "The service answers with errors. Its log says why."
      filter  = "${local.ours_metric} AND metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\""
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      above   = 2
      seconds = 600
    }
  }

  # What the function logs, as queries, because a threshold can't be put on a
  # metric made a moment ago
  # (https://github.com/hashicorp/terraform-provider-google/issues/11102), and
  # because silence is a value here even where nothing was ever measured. Names:
  # https://docs.cloud.google.com/monitoring/promql/promql-mapping
  series = { for name, metric in google_logging_metric.metric : name => "logging_googleapis_com:user_${replace(metric.name, ".", "_")}" }
  within = "{monitored_resource=\"cloud_run_revision\"}[${local.stale_seconds}s]"
  queries = {
    unrestored = {
      title   = "a key is broken and not restored"
      about   = "Confluent lacks access to a key, nobody said that it shall, and it was not given back: mode observe, a restore that failed, or a hold that ended."
      query   = "sum by (key) (increase(${local.series["byokwatch.unrestored"]}${local.within})) > 0"
      seconds = 0
    }
    judgement-age = {
      title   = "a key was not judged"
      about   = "A key could not be looked at for ${local.stale_seconds / 60} minutes: what happens to it is not seen."
      query   = "histogram_quantile(0.99, sum by (le, key) (increase(${local.series["byokwatch.judgement_age"]}_bucket${local.within}))) > ${local.stale_seconds * 1000}"
      seconds = 0
    }
    silence = {
      title = "no key is judged"
      about = "No sweep has looked at any key for ${local.stale_seconds / 60} minutes: the schedule, its delivery or the service is gone."
      query = "absent_over_time(${local.series["byokwatch.judgement_age"]}_count${local.within})"
      # As long as a first deployment takes to its first sweep.
      seconds = 300
    }
  }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each = local.thresholds

  project               = var.project
  display_name          = "byokwatch: ${each.value.title}"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels[var.project]
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "0s"
      aggregations {
        alignment_period     = "${each.value.seconds}s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
      }
      trigger {
        count = 1
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.about}\n\n${local.runbook}"
  }
  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_alert_policy" "query" {
  for_each = local.queries

  project               = var.project
  display_name          = "byokwatch: ${each.value.title}"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels[var.project]
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_prometheus_query_language {
      query                     = each.value.query
      duration                  = "${each.value.seconds}s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.about}\n\n${local.runbook}"
  }
  alert_strategy {
    auto_close = "86400s"
  }
}

# Entries that are alerts by themselves: https://docs.cloud.google.com/logging/docs/alerting/log-based-alerts
# A policy sees the log of its own project only.
resource "google_monitoring_alert_policy" "errors" {
  project               = var.project
  display_name          = "byokwatch: an error"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels[var.project]
  user_labels           = var.labels

  conditions {
    display_name = "a line of the service with severity ERROR"
    condition_matched_log {
      filter = "${local.ours} AND severity>=ERROR"
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "An invocation failed, or a revision could not start; the line says why.\n\n${local.runbook}"
  }
  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "900s"
    }
  }
  depends_on = [google_project_service.api]
}

# Where the sink can't write to the topic, no event comes.
resource "google_monitoring_alert_policy" "sink" {
  for_each = google_logging_project_sink.events

  project               = each.value.project
  display_name          = "byokwatch: the log sink can't deliver"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels[each.key]
  user_labels           = var.labels

  conditions {
    display_name = "errors of the sink"
    condition_threshold {
      filter          = "resource.type=\"logging_sink\" AND resource.labels.name=\"${each.value.name}\" AND metric.type=\"logging.googleapis.com/exports/error_count\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
      trigger {
        count = 1
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "Entries of the audit log do not reach the watchdog; its sweep still looks at every key.\n\n${local.runbook}"
  }
  alert_strategy {
    auto_close = "86400s"
  }
}
