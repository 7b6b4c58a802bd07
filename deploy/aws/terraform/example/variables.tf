variable "deployment" {
  description = "File that `byokwatch config deployment` printed, if not deployment.json in this folder."
  type        = string
  default     = null
}

variable "package" {
  description = "The package, if not the one that `make package` leaves in dist."
  type        = string
  default     = null
}

variable "code_bucket" {
  description = "Name of a versioned bucket in the same Region that the package is uploaded to."
  type        = string
}

variable "options" {
  description = "Further parameters of the template, such as { AlarmTopic = \"arn:…\" }."
  type        = map(string)
  default     = {}
}
