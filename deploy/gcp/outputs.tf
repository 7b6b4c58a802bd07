output "service_account" {
  description = "Address of the watchdog's service account: who writes to keys."
  value       = google_service_account.watchdog.email
}

output "services" {
  description = "The services, by what they handle."
  value       = { for what, service in google_cloud_run_v2_service.watchdog : what => service.name }
}

output "dead_letters" {
  description = "Subscription that keeps events which could not be handled; docs/runbook.md says how to look at them and to play them again."
  value       = google_pubsub_subscription.dead_letters.id
}

output "filter" {
  description = "The filter of the log sink."
  value       = local.filter
}

output "warnings" {
  description = "What this deployment leaves open."
  value = concat(
    [for p in sort(local.projects) : "No notification channel of ${p} is given: alerts in that project notify nobody." if length(local.channels[p]) == 0],
    var.deployment.mode == "enforce" && !var.deny_policy ? ["Without deny_policy the watchdog could grant itself the use of a key that it restores; the alert on changes of keys would tell."] : [],
    var.read_above ? [] : ["Without read_above deny policies and access from folders and the organisation are not seen."],
  )
}
