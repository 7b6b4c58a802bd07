# A submodule of a module that does everything right.
terraform {
  required_version = ">= 1.3"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50"
    }
  }
}

variable "project" {
  description = "the project"
  type        = string
}

resource "google_service_account" "this" {
  project    = var.project
  account_id = "byokwatch"
}

output "email" {
  description = "of the account"
  value       = google_service_account.this.email
}
