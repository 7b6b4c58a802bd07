variable "project" {
  description = "ID of the project that owns the buckets. Another one than the watchdog's keeps whoever administers the watchdog from what it remembers."
  type        = string
  nullable    = false
}

variable "location" {
  description = "Location of the buckets: a region, or a multi-region such as EU."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Name of the bucket of the configuration's store: deployment.store.bucket."
  type        = string
  nullable    = false
}

variable "prefix" {
  description = "The store's path in the bucket: deployment.store.prefix."
  type        = string
  default     = ""
  nullable    = false
}

variable "package_bucket" {
  description = "Name of the bucket for packages; null is the store's name and -packages."
  type        = string
  default     = null
}

variable "recoverable_days" {
  description = "For how long deleted objects can be brought back, by whomever they were deleted: 7 to 90 days."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.recoverable_days >= 7 && var.recoverable_days <= 90
    error_message = "Cloud Storage keeps what was deleted for 7 to 90 days."
  }
}

variable "labels" {
  description = "Labels of the buckets."
  type        = map(string)
  default     = {}
  nullable    = false
}
