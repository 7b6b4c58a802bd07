# An installation in one account and Region: copy this folder. State belongs into
# a backend that only the deployers reach; which one is yours to choose.
#
#   byokwatch config deployment --cloud aws --account A --region R byokwatch.yaml > deployment.json
#   make package CONFIG=byokwatch.yaml

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

provider "aws" {
  region = local.deployment.region
}

locals {
  deployment = jsondecode(file(coalesce(var.deployment, "${path.module}/deployment.json")))
}

module "byokwatch" {
  source = "../"

  deployment  = local.deployment
  package     = coalesce(var.package, "${path.module}/../../../../dist/byokwatch-aws-arm64.zip")
  code_bucket = var.code_bucket
  options     = var.options
}
