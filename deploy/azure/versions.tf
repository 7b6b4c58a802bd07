# 1.5 brought check blocks, by which a plan warns of what nobody would notice.
terraform {
  required_version = ">= 1.5"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.73, < 5.0"
    }
  }
}
