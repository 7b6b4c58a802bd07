variable "subscription_id" {
  description = "The subscription of the keys and of the function app."
  type        = string
}

variable "name" {
  description = "Name of the function app, unique in all of Azure."
  type        = string
}

variable "location" {
  description = "Region."
  type        = string
}

variable "deployment" {
  description = "Path of deployment.json."
  type        = string
  default     = "deployment.json"
}

variable "package" {
  description = "Path of the package that `make package` makes."
  type        = string
  default     = "../../../dist/byokwatch-azure-amd64.zip"
}

variable "access_policy_vaults" {
  description = "Vaults that use access policies."
  type        = list(string)
  default     = []
}

variable "secrets" {
  description = "NAME => ID of the Key Vault secret, for each secret of the configuration."
  type        = map(string)
  default     = {}
}

variable "operators" {
  description = "Who may ask for holds, acceptances and reinstatements."
  type        = map(object({ id = string, type = string }))
  default     = {}
}

variable "alarm_action_groups" {
  description = "IDs of the action groups that alarms are sent to."
  type        = list(string)
  default     = []
}
