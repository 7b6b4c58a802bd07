# Alerts that need neither the service nor anything of it: Cloud Monitoring reads
# the audit log itself. They tell that a protected key was changed, by whomever,
# the watchdog included, and that somebody changes the watchdog.

locals {
  # Whatever happened to a protected key, a version of it or its ring; the name
  # after the project, because that may stand there as an ID or as a number. Many
  # keys would make a long filter, so from there on the rings' other keys count too.
  keys_of = { for p in local.projects : p => [for k in sort(var.deployment.scopes.keys) : trimprefix(k, "projects/${p}") if split("/", k)[1] == p] }
  key_names = {
    for p, keys in local.keys_of : p => distinct(concat(
      [for k in keys : regex("^/locations/[^/]+/keyRings/[^/]+", k)],
      length(keys) > 20 ? [for k in keys : "${regex("^/locations/[^/]+/keyRings/[^/]+", k)}/cryptoKeys/[^/]+"] : keys,
    ))
  }
  key_changes = {
    for p in local.projects : p => length(local.key_names[p]) == 0 ? [] : [join(" AND ", [
      "protoPayload.serviceName=\"cloudkms.googleapis.com\"",
      "protoPayload.methodName=~\"(^|[.])(${join("|", local.methods["cloudkms.googleapis.com"])})$\"",
      "protoPayload.resourceName=~\"^projects/[^/]+(${join("|", local.key_names[p])})(/cryptoKeyVersions/[0-9]+)?$\"",
    ])]
  }

  # What would silence the watchdog or take its place, by service: methods (as
  # above, what follows a dot), and how the name of the resource ends. They are
  # those of the services' audit logging pages:
  # https://docs.cloud.google.com/logging/docs/audit/services
  part = "/byokwatch[^/]*$"
  tampering = [
    { service = "logging.googleapis.com", methods = ["UpdateSink", "DeleteSink", "UpdateLogMetric", "DeleteLogMetric"], of = local.part },
    # An exclusion or a filter on the way into a log is none of ours by name.
    { service = "logging.googleapis.com", methods = ["CreateExclusion", "UpdateExclusion"], of = "" },
    { service = "pubsub.googleapis.com", methods = ["DeleteTopic", "UpdateTopic", "DeleteSubscription", "UpdateSubscription", "ModifyPushConfig", "DetachSubscription", "SetIamPolicy"], of = local.part },
    { service = "run.googleapis.com", methods = ["CreateService", "UpdateService", "ReplaceService", "DeleteService", "SetIamPolicy"], of = local.part },
    { service = "cloudscheduler.googleapis.com", methods = ["UpdateJob", "DeleteJob", "PauseJob"], of = local.part },
    # The resource of a service account's call may be its number instead of its
    # address, so every account of the project counts.
    { service = "iam.googleapis.com", methods = ["DisableServiceAccount", "DeleteServiceAccount", "PatchServiceAccount", "SetIAMPolicy", "CreateServiceAccountKey", "UploadServiceAccountKey"], of = "" },
    { service = "iam.googleapis.com", methods = ["UpdateRole", "DeleteRole"], of = local.part },
    # Policies and channels have numbers for names.
    { service = "monitoring.googleapis.com", methods = ["UpdateAlertPolicy", "DeleteAlertPolicy", "UpdateNotificationChannel", "DeleteNotificationChannel", "CreateSnooze", "UpdateSnooze"], of = "" },
    { service = "storage.googleapis.com", methods = ["setIamPermissions", "buckets[.]update", "buckets[.]delete"], of = "/(${replace(var.deployment.store.bucket, ".", "[.]")}|${replace(local.package_bucket, ".", "[.]")})$" },
    { service = "secretmanager.googleapis.com", methods = ["DeleteSecret", "DisableSecretVersion", "DestroySecretVersion", "SetIamPolicy"], of = "" },
    { service = "serviceusage.googleapis.com", methods = ["DisableService"], of = "" },
  ]
  # In projects that only hold keys, what is ours there: the sink, the roles and
  # this alert. What their owners do with the rest is their business.
  guest = ["UpdateSink", "CreateExclusion", "UpdateRole", "UpdateAlertPolicy"]
  tampered = {
    for p in local.projects : p => [
      for t in local.tampering : join(" AND ", compact([
        "protoPayload.serviceName=\"${t.service}\"",
        "protoPayload.methodName=~\"(^|[.])(${join("|", t.methods)})$\"",
        t.of == "" ? "" : "protoPayload.resourceName=~\"${t.of}\"",
      ])) if p == var.project || contains(local.guest, t.methods[0])
    ]
  }

  audit = {
    for p in local.projects : p => {
      "a protected key was changed" = local.key_changes[p]
      "the watchdog is changed"     = local.tampered[p]
    }
  }
  audit_alerts = {
    for a in flatten([
      for p in local.projects : [
        for title, list in local.audit[p] : { project = p, title = title, list = list } if length(list) > 0
      ]
    ]) : "${a.project}/${replace(a.title, " ", "-")}" => a
  }
}

resource "google_monitoring_alert_policy" "audit" {
  for_each = local.audit_alerts

  project               = each.value.project
  display_name          = "byokwatch: ${each.value.title}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels[each.value.project]
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter = "${local.logs[each.value.project]} AND ${local.succeeded} AND (${join(" OR ", [for m in each.value.list : "(${m})"])})"
      label_extractors = {
        who  = "EXTRACT(protoPayload.authenticationInfo.principalEmail)"
        what = "EXTRACT(protoPayload.methodName)"
        on   = "EXTRACT(protoPayload.resourceName)"
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "Read from the audit log, without byokwatch's help. A deployment or a restore of byokwatch itself is told, too.\n\n${local.runbook}"
  }
  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "300s"
    }
  }

  lifecycle {
    precondition {
      condition     = length(each.value.list) > 0
      error_message = "There is nothing to alert on."
    }
  }
  depends_on = [google_project_service.api]
}
