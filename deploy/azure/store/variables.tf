variable "store" {
  description = "The store of the deployment: jsondecode(file(\"deployment.json\")).store."
  type        = object({ account = string, container = string, prefix = string })
}

variable "resource_group_name" {
  description = "Name of the store's own resource group, which is made."
  type        = string
}

variable "location" {
  description = "Region of the store."
  type        = string
}

variable "replication" {
  description = "How it is replicated: ZRS, or LRS where the region has no zones, or GZRS."
  type        = string
  default     = "ZRS"
}

variable "subnet_ids" {
  description = "Subnets (with the service endpoint Microsoft.Storage) that alone may reach the store. Without any, and without address_ranges, only Microsoft Entra ID decides who may: an app outside a virtual network has no fixed addresses."
  type        = list(string)
  default     = []
}

variable "address_ranges" {
  description = "Public addresses (CIDR) of operators that may reach the store where subnet_ids closes it."
  type        = list(string)
  default     = []
}

variable "deleted_days" {
  description = "For how long what was deleted can be brought back."
  type        = number
  default     = 90
}

variable "replaced_days" {
  description = "For how long former versions of records are kept."
  type        = number
  default     = 90
}

variable "immutable_days" {
  description = "For how long no version of a blob can be deleted by anybody. 0: not at all. Needs a new account: it cannot be turned on later."
  type        = number
  default     = 0
}

variable "immutable_locked" {
  description = "Whether immutable_days can never be shortened again, by Microsoft neither."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
