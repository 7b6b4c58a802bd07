# An installation: copy this folder, or use it as it is through make deploy-gcp.
# State belongs into a backend that only the deployers reach; which one is yours
# to choose.

terraform {
  required_version = ">= 1.3"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.0, < 8.0"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 7.0, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

provider "google-beta" {
  project = var.project
  region  = var.region
}

locals {
  deployment = jsondecode(file(coalesce(var.deployment, "${path.module}/deployment.json")))
}

# Apart from the watchdog, so that destroying that keeps what it remembers.
module "store" {
  source = "../store"

  project  = coalesce(var.store_project, var.project)
  location = coalesce(var.store_location, var.region)
  bucket   = local.deployment.store.bucket
  prefix   = local.deployment.store.prefix
  labels   = var.labels
}

module "byokwatch" {
  source = "../"

  deployment = local.deployment
  project    = var.project
  region     = var.region
  package    = var.image == null ? coalesce(var.package, "${path.module}/../../../dist/byokwatch-gcp-amd64.tar.gz") : null
  image      = var.image
  secrets    = var.secrets

  scope        = var.scope
  folder       = var.folder
  organization = var.organization
  read_above   = var.read_above
  deny_policy  = var.deny_policy

  store_project         = var.store_project
  package_bucket        = module.store.package_bucket
  operators             = var.operators
  notification_channels = var.notification_channels
  labels                = var.labels

  depends_on = [module.store]
}
