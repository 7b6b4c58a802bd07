# The stack that `make deploy-aws` makes, for those who deploy with Terraform:
# byokwatch.template.json with its parameters. What there is, and why, is in the
# template alone, so that both ways deploy the same.

locals {
  deployment = var.deployment
  hash       = filesha256(var.package)

  parameters = merge(var.options, {
    Mode         = local.deployment.mode
    Keys         = join(",", local.deployment.scopes.keys)
    EnforcedKeys = join(",", local.deployment.scopes.enforced)
    EnablingKeys = join(",", local.deployment.scopes.enabling)
    Secrets      = join(",", local.deployment.scopes.secrets)
    SigningKey   = join(",", local.deployment.scopes.signing-key)
    StoreBucket  = local.deployment.store.bucket
    StoreFolder  = local.deployment.store.prefix == "" ? "" : "${local.deployment.store.prefix}/"
    SweepMinutes = tostring(local.deployment.sweep_minutes)
    CodeBucket   = aws_s3_object.package.bucket
    CodeKey      = aws_s3_object.package.key
  })
}

# By its content's hash: another package is another key, by which CloudFormation
# notices that the functions have changed. The one before goes last, because an
# update that fails goes back to it.
resource "aws_s3_object" "package" {
  region                 = local.deployment.region
  bucket                 = var.code_bucket
  key                    = "byokwatch/${local.hash}.zip"
  source                 = var.package
  source_hash            = local.hash
  server_side_encryption = "AES256"
  tags                   = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "byokwatch" {
  region        = local.deployment.region
  name          = "Byokwatch"
  template_body = file("${path.module}/../byokwatch.template.json")
  parameters    = local.parameters
  # The role and its policies have names, so that others can speak of them.
  capabilities = ["CAPABILITY_NAMED_IAM"]
  iam_role_arn = var.deployer_role
  tags         = var.tags

  lifecycle {
    # The template makes one account's stack, whosever credentials are at hand.
    precondition {
      condition     = data.aws_caller_identity.this.account_id == local.deployment.account
      error_message = "The deployment is for account ${local.deployment.account}, the credentials are of ${data.aws_caller_identity.this.account_id}."
    }
  }
}

data "aws_caller_identity" "this" {}
