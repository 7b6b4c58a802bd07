output "bucket" {
  description = "Name of the store's bucket."
  value       = google_storage_bucket.store.name
}

output "package_bucket" {
  description = "Name of the bucket for packages."
  value       = google_storage_bucket.packages.name
}
