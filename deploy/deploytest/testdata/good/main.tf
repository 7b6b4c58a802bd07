# A little module that does everything right, for the checks' own tests.
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

variable "names" {
  description = "of the topics"
  type        = set(string)
  default     = ["events", "sweep"]
}

data "google_project" "this" {
  project_id = var.project
}

locals {
  subscribers = toset([for name in var.names : name if name != "sweep"])
}

resource "google_pubsub_topic" "this" {
  for_each = var.names
  project  = var.project
  name     = each.value
}

resource "google_pubsub_subscription" "this" {
  for_each             = local.subscribers
  project              = var.project
  name                 = each.value
  topic                = google_pubsub_topic.this[each.value].id
  ack_deadline_seconds = 600

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this["sweep"].id
    max_delivery_attempts = 100
  }

  dynamic "push_config" {
    for_each = [data.google_project.this.number]
    content {
      push_endpoint = "https://${push_config.value}.example.com"
      oidc_token {
        service_account_email = module.account.email
      }
    }
  }
}

module "account" {
  source  = "./account"
  project = var.project
}

output "topics" {
  description = "IDs of the topics"
  value       = [for name in sort(var.names) : google_pubsub_topic.this[name].id]
}
