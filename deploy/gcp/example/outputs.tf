output "service_account" {
  description = "Address of the watchdog's service account."
  value       = module.byokwatch.service_account
}

output "dead_letters" {
  description = "Subscription that keeps events which could not be handled."
  value       = module.byokwatch.dead_letters
}

output "warnings" {
  description = "What this deployment leaves open."
  value       = module.byokwatch.warnings
}
