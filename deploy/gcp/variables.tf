variable "deployment" {
  description = "What the configuration asks of this cloud: jsondecode of what `byokwatch config deployment --cloud gcp byokwatch.yaml` prints. Nothing of the configuration is said a second time here."
  type = object({
    cloud         = string
    projects      = list(string)
    mode          = string
    sweep_minutes = number
    store         = object({ bucket = string, prefix = string })
    scopes = object({
      keys     = list(string)
      enforced = list(string)
      enabling = list(string)
    })
    secrets = list(string)
  })
  nullable = false

  validation {
    condition     = var.deployment.cloud == "gcp"
    error_message = "This deployment is for another cloud: make it with --cloud gcp."
  }
  validation {
    condition     = contains(["observe", "enforce"], var.deployment.mode)
    error_message = "The mode of a deployment is observe or enforce."
  }
  validation {
    condition     = length(var.deployment.scopes.keys) > 0
    error_message = "The configuration has no key of Google Cloud, so there is nothing to watch."
  }
}

variable "project" {
  description = "ID of the project that the watchdog runs in. One of its own is best: whoever administers it can silence the watchdog, and what changes in it is alerted."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the service, of its package and of the schedule. Keys may be anywhere."
  type        = string
  nullable    = false
}

variable "package" {
  description = "Path of the package that `make package CONFIG=byokwatch.yaml` made: dist/byokwatch-gcp-amd64.tar.gz. Null where image is given."
  type        = string
  default     = null

  validation {
    condition     = var.package == null || can(regex("[.]tar[.]gz$", var.package))
    error_message = "Cloud Run takes a package as .tar.gz: make it with make package CONFIG=byokwatch.yaml."
  }
}

variable "image" {
  description = "In place of package: a container image by digest, HOST/PROJECT/REPOSITORY/NAME@sha256:DIGEST, with the package's files at its root: the package as a layer on a base that has certificates. For who may not use what Google has not declared generally available."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Give the image by its digest (…@sha256:…): a tag can be moved to other code."
  }
}

variable "base_image" {
  description = "What the package runs on: the runtime that is an operating system only, which Google patches without a deployment. Null is that of the region."
  type        = string
  default     = null
}

variable "configuration" {
  description = "Where the configuration is an object instead of a file of the package: its gs:// URL, in a bucket of the store's project, and the SHA-256 of its bytes."
  type        = object({ url = string, sha256 = string })
  default     = null

  validation {
    condition     = var.configuration == null || can(regex("^gs://[^/]+/.+$", var.configuration.url)) && can(regex("^[0-9a-f]{64}$", var.configuration.sha256))
    error_message = "The configuration needs a URL gs://BUCKET/OBJECT and its SHA-256 in 64 lower-case hex digits."
  }
}

variable "secrets" {
  description = "The secret of Secret Manager behind each $${NAME} of the configuration: NAME = projects/PROJECT/secrets/SECRET, or the bare name of a secret of this project."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, id in var.secrets : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && can(regex("^(projects/[^/]+/secrets/)?[A-Za-z0-9_-]+$", id))])
    error_message = "Each secret is NAME = projects/PROJECT/secrets/SECRET, without a version: the newest is read each time."
  }
}

variable "scope" {
  description = "Whose audit log the watchdog hears: project (that of the keys; needs no right above), folder or organization. What is done to folders and the organisation themselves, such as grants, deny policies and roles, is logged there only; with scope project the sweep finds what it led to."
  type        = string
  default     = "project"
  nullable    = false

  validation {
    condition     = contains(["project", "folder", "organization"], var.scope)
    error_message = "The scope is project, folder or organization."
  }
}

variable "folder" {
  description = "Number of the folder above the keys' projects; required with scope folder."
  type        = string
  default     = null

  validation {
    condition     = var.folder == null || can(regex("^[0-9]+$", var.folder))
    error_message = "A folder is given by its number."
  }
}

variable "organization" {
  description = "Number of the organisation; required with scope organization and with read_above."
  type        = string
  default     = null

  validation {
    condition     = var.organization == null || can(regex("^[0-9]+$", var.organization))
    error_message = "An organisation is given by its number."
  }
}

variable "read_above" {
  description = "Let the watchdog read deny policies and what keys inherit from folders and the organisation. Takes the right to make and bind roles of the organisation. Without it there is assumed to be no deny policy, and access from above does not count."
  type        = bool
  default     = false
  nullable    = false
}

variable "deny_policy" {
  description = "Attach a deny policy to the keys' projects, so that the watchdog, which may write a key's policy, could not use that key even if it granted itself the right. Takes roles/iam.denyAdmin, which only an organisation can give."
  type        = bool
  default     = false
  nullable    = false
}

variable "store_project" {
  description = "Project of the store's bucket; null is the watchdog's own."
  type        = string
  default     = null
}

variable "package_bucket" {
  description = "Bucket that packages are kept in; null is the one of the submodule store: the store's name and -packages."
  type        = string
  default     = null
}

variable "operators" {
  description = "Who may hold and release keys and accept policies: principals such as group:kms-operators@acme.example. They read the store and write requests/. Empty: nobody but who administers the bucket."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for m in var.operators : can(regex("^(user|group|serviceAccount|principal|principalSet):.+", m))])
    error_message = "Operators are users, groups, service accounts or principals; never allUsers, allAuthenticatedUsers or a whole domain."
  }
}

variable "notification_channels" {
  description = "Channels that the alert policies notify: projects/PROJECT/notificationChannels/NUMBER. A policy uses those of its own project, so give one of each project that holds keys, too. The output warnings says where there is none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for c in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", c))])
    error_message = "A channel is projects/PROJECT/notificationChannels/NUMBER."
  }
}

variable "enable_apis" {
  description = "Enable the APIs that are used. False where a project factory does that; they are never disabled again."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Labels for what can have labels."
  type        = map(string)
  default     = {}
  nullable    = false
}
