variable "deployment" {
  description = "What `byokwatch config deployment --cloud azure FILE` prints, decoded: jsondecode(file(\"deployment.json\"))."
  type = object({
    cloud         = string
    mode          = string
    sweep_minutes = number
    subscriptions = list(string)
    vaults        = list(string)
    store         = object({ account = string, container = string, prefix = string })
    scopes = object({
      groups          = list(string)
      enforced_groups = list(string)
      enforced_vaults = list(string)
      firewalls       = list(string)
      enabling        = list(string)
      subscriptions   = list(string)
    })
    principals = map(list(string))
    secrets    = list(string)
  })
  validation {
    condition     = var.deployment.cloud == "azure" && contains(["observe", "enforce"], var.deployment.mode)
    error_message = "This is not the deployment of Azure keys: make it with `byokwatch config deployment --cloud azure byokwatch.yaml`."
  }
}

variable "name" {
  description = "Name of the function app, unique in all of Azure, and the beginning of the names of all that belongs to it."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,22}[a-z0-9]$", var.name))
    error_message = "Between 4 and 24 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "location" {
  description = "Region of the function app, one with Flex Consumption; close to the vaults is best."
  type        = string
}

variable "subscription_id" {
  description = "The subscription that the provider is configured for. The function app goes there."
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "The ID of a subscription in lower case, not its name."
  }
}

variable "other_subscriptions" {
  description = "Further subscriptions with keys, each watched by a module ./subscription of its own with a provider for it. A subscription of the deployment that is neither this one nor here is an error: nobody would hear of changes there."
  type        = list(string)
  default     = []
}

variable "package" {
  description = "Path of byokwatch-azure-amd64.zip, which `make package CONFIG=byokwatch.yaml` makes. Another content is deployed anew."
  type        = string
  validation {
    condition     = can(filesha256(var.package))
    error_message = "There is no such file: run `make package CONFIG=byokwatch.yaml` first."
  }
}

variable "configuration" {
  description = "A configuration outside the package: BYOKWATCH_CONFIG (azblob://account/container/name), its SHA-256 in hex, and the container's ID. Without it the package's byokwatch.yaml is used."
  type        = object({ url = string, sha256 = string, container_id = string })
  default     = null
  validation {
    condition     = var.configuration == null ? true : can(regex("^azblob://[a-z0-9]+/[a-z0-9-]+/.+$", var.configuration.url)) && can(regex("^[0-9a-f]{64}$", var.configuration.sha256))
    error_message = "url is azblob://account/container/name, sha256 the 64 hex digits of the file."
  }
}

variable "store_container_id" {
  description = "ID of the container in which records are kept: output container_id of ./store."
  type        = string
}

variable "store_resource_group_id" {
  description = "ID of the resource group of the store, watched for changes like that of the function app."
  type        = string
}

variable "access_policy_vaults" {
  description = "Those of the deployment's vaults that use access policies instead of Azure RBAC. In mode enforce they need a right that no condition narrows (Microsoft.KeyVault/vaults/accessPolicies/write)."
  type        = list(string)
  default     = []
}

variable "secrets" {
  description = "For each secret that the configuration names as $${NAME}: the ID of the Key Vault secret, /subscriptions/…/vaults/V/secrets/S, in a vault with Azure RBAC."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for id in values(var.secrets) : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.KeyVault/vaults/[^/]+/secrets/[^/]+$", id))])
    error_message = "A secret is named by its resource ID, which ends in /vaults/V/secrets/S; no version, so that a new one is taken up."
  }
}

variable "operators" {
  description = "Object IDs of the groups (better than people) that may ask for holds, acceptances and reinstatements: they read the store and write its requests/."
  type        = map(object({ id = string, type = string }))
  default     = {}
  validation {
    condition     = alltrue([for o in values(var.operators) : contains(["Group", "User", "ServicePrincipal"], o.type)])
    error_message = "type is Group, User or ServicePrincipal."
  }
}

variable "see_deleted_vaults" {
  description = "Whether it may list deleted vaults of the keys' subscriptions, to tell a vault that can be recovered from one that is gone."
  type        = bool
  default     = true
}

variable "alarm_action_groups" {
  description = "IDs of the action groups that alarms are sent to. With none, alarms are only seen in the portal."
  type        = list(string)
  default     = []
}

variable "always_ready" {
  description = "Instances that are kept running for events. 0 saves money and makes the first event after a pause wait for a cold start of up to half a minute."
  type        = number
  default     = 1
  validation {
    condition     = var.always_ready >= 0 && floor(var.always_ready) == var.always_ready
    error_message = "A whole number, 0 or more."
  }
}

variable "subnet_id" {
  description = "Subnet for what the function app sends (delegated to Microsoft.App/environments), where vaults or the store are closed to public networks. They must be reachable from it, Azure Resource Manager and the channels' hosts too."
  type        = string
  default     = null
}

variable "only_event_grid" {
  description = "Whether the function app takes requests from Event Grid's addresses alone."
  type        = bool
  default     = true
}

variable "topic_identity" {
  description = "Whether the subscription's system topic has an identity, by which it keeps undelivered events. False where Azure refuses one (\"identity is unavailable for location 'global'\"): then they are dropped at the end of their day, which an alarm tells."
  type        = bool
  default     = true
}

variable "system_topics" {
  description = "System topics that exist already, because Azure allows one for each source: source (/subscriptions/ID, or a vault's ID as the deployment writes it) => its name and resource group. Give each the identity of output undelivered."
  type        = map(object({ name = string, resource_group_name = string }))
  default     = {}
}

variable "log_retention_days" {
  description = "For how long the workspace keeps logs."
  type        = number
  default     = 90
  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "Between 30 and 730 days."
  }
}

variable "lock_identity" {
  description = "Whether the resource group of the identity is locked against deletion. Whoever destroys this deployment removes the lock first."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
