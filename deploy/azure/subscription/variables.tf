variable "deployment" {
  description = "The deployment, as for the module above."
  type = object({
    vaults = list(string)
    scopes = object({ groups = list(string) })
  })
}

variable "subscription_id" {
  description = "The subscription that is watched; the provider is configured for it, because a system topic lies in the subscription of its source."
  type        = string
}

variable "name" {
  description = "The beginning of all names."
  type        = string
}

variable "resource_group_name" {
  description = "A resource group of that subscription for topics and alarms."
  type        = string
}

variable "access_policy_vaults" {
  description = "As for the module above; compared with what the vaults say."
  type        = list(string)
  default     = []
}

variable "function_app_id" {
  description = "The function app, with its package: output function_app_id of the module above."
  type        = string
}

variable "undelivered" {
  description = "Where undelivered events are kept, and the identity that may write there: output undelivered of the module above."
  type        = object({ container_id = string, identity_id = string })
}

variable "topic_identity" {
  description = "As for the module above."
  type        = bool
  default     = true
}

variable "system_topics" {
  description = "As for the module above."
  type        = map(object({ name = string, resource_group_name = string }))
  default     = {}
}

variable "alarm_action_groups" {
  description = "As for the module above."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
