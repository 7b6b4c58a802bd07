variable "deployment" {
  description = "What `byokwatch config deployment --cloud aws --account A --region R` printed, decoded: one account and Region."
  type = object({
    cloud         = string
    account       = string
    region        = string
    mode          = string
    sweep_minutes = number
    store         = object({ bucket = string, prefix = string })
    scopes = object({
      keys        = list(string)
      observed    = list(string)
      enforced    = list(string)
      enabling    = list(string)
      signing-key = list(string)
      secrets     = list(string)
    })
    secrets = list(string)
    labels  = map(string)
  })

  validation {
    condition     = var.deployment.cloud == "aws" && length(var.deployment.scopes.keys) > 0
    error_message = "Give what `byokwatch config deployment --cloud aws` printed for an account and Region that have keys."
  }

  validation {
    condition     = length(var.deployment.secrets) == 0
    error_message = "The configuration reads secrets from the environment, which the function has not: keep them in Secrets Manager, as $${secret:ARN}."
  }

  # A parameter has 4,096 bytes at most:
  # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
  validation {
    condition     = length(join(",", var.deployment.scopes.keys)) <= 4096
    error_message = "These are more keys than a parameter of CloudFormation takes (about 50): deploy with `make deploy-aws`, or divide the keys among more accounts."
  }
}

variable "package" {
  description = "Path of the package that `make package CONFIG=byokwatch.yaml` made, dist/byokwatch-aws-arm64.zip."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "There is no such file: run `make package CONFIG=byokwatch.yaml` first."
  }
}

variable "code_bucket" {
  description = "Name of a versioned bucket in the same Region that the package is uploaded to. Lambda reads it as whoever deploys."
  type        = string
}

variable "options" {
  description = "Further parameters of byokwatch.template.json, such as AlarmTopic, OperatorRoles (with commas), CreateStore, CreateSigningKey, LogRetention. The template describes each."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([for name in keys(var.options) : !contains([
      "Mode", "Keys", "EnforcedKeys", "EnablingKeys", "Secrets", "SigningKey", "StoreBucket", "StoreFolder", "SweepMinutes", "CodeBucket", "CodeKey",
    ], name)])
    error_message = "What follows from the configuration is set there: change byokwatch.yaml and print the deployment anew."
  }
}

variable "deployer_role" {
  description = "ARN of the role that CloudFormation makes the stack with. Without one it uses the rights of whoever runs Terraform."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the stack, which CloudFormation gives to its resources, and of the package."
  type        = map(string)
  default     = {}
}
