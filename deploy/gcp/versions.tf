terraform {
  # Infrastructure Manager runs nothing newer than 1.5, so the module keeps to
  # what 1.3 has: no check blocks, no provider functions
  # (https://docs.cloud.google.com/infrastructure-manager/docs/terraform).
  required_version = ">= 1.3"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.0, < 8.0"
    }
    # For one block of one resource: the service's source_code.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 7.0, < 8.0"
    }
  }
}
