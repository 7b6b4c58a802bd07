variable "project" {
  description = "ID of the project that the watchdog runs in."
  type        = string
}

variable "region" {
  description = "Region that the watchdog runs in."
  type        = string
}

variable "deployment" {
  description = "Path of what `byokwatch config deployment --cloud gcp` printed; null is deployment.json beside this file, where make deploy-gcp puts it."
  type        = string
  default     = null
}

variable "package" {
  description = "Path of the package; null is the one that make package left in dist/."
  type        = string
  default     = null
}

variable "image" {
  description = "A container image by digest, in place of the package."
  type        = string
  default     = null
}

variable "secrets" {
  description = "The secret of Secret Manager behind each $${NAME} of the configuration."
  type        = map(string)
  default     = {}
}

variable "scope" {
  description = "Whose audit log is heard: project, folder or organization."
  type        = string
  default     = "project"
}

variable "folder" {
  description = "Number of the folder, with scope folder."
  type        = string
  default     = null
}

variable "organization" {
  description = "Number of the organisation, with scope organization or read_above."
  type        = string
  default     = null
}

variable "read_above" {
  description = "See deny policies and what keys inherit from above the project."
  type        = bool
  default     = false
}

variable "deny_policy" {
  description = "Deny the watchdog the use of the keys, whatever their policies say."
  type        = bool
  default     = false
}

variable "store_project" {
  description = "Project of the buckets; null is the watchdog's."
  type        = string
  default     = null
}

variable "store_location" {
  description = "Location of the buckets; null is the region."
  type        = string
  default     = null
}

variable "operators" {
  description = "Principals that may hold and release keys and accept policies."
  type        = list(string)
  default     = []
}

variable "notification_channels" {
  description = "Channels of Cloud Monitoring, in the watchdog's project and in each that holds keys."
  type        = list(string)
  default     = []
}

variable "labels" {
  description = "Labels for what can have labels."
  type        = map(string)
  default     = {}
}
