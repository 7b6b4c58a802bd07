# What a plan must look like, with the provider played.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  deployment  = jsondecode(file("../../testdata/aws.json"))
  package     = "tests/package.zip"
  code_bucket = "acme-deployments"
  options     = { AlarmTopic = "arn:aws:sns:us-west-2:111122223333:oncall" }
}

run "stack" {
  command = plan

  assert {
    condition     = aws_cloudformation_stack.byokwatch.parameters["Mode"] == "enforce" && aws_cloudformation_stack.byokwatch.parameters["EnforcedKeys"] == join(",", var.deployment.scopes.enforced)
    error_message = "The keys are those of the deployment."
  }
  assert {
    condition = alltrue([for name, scope in {
      Keys = "keys", EnforcedKeys = "enforced", EnablingKeys = "enabling", Secrets = "secrets", SigningKey = "signing-key",
    } : aws_cloudformation_stack.byokwatch.parameters[name] == join(",", var.deployment.scopes[scope])])
    error_message = "Each list is that of its own scope."
  }
  assert {
    condition     = aws_cloudformation_stack.byokwatch.parameters["StoreBucket"] == var.deployment.store.bucket && aws_cloudformation_stack.byokwatch.parameters["CodeBucket"] == var.code_bucket && aws_cloudformation_stack.byokwatch.parameters["SweepMinutes"] == tostring(var.deployment.sweep_minutes)
    error_message = "Store, code and schedule are those that were given."
  }
  assert {
    condition     = aws_cloudformation_stack.byokwatch.parameters["StoreFolder"] == "prod/" && aws_cloudformation_stack.byokwatch.parameters["AlarmTopic"] == var.options.AlarmTopic
    error_message = "The store's folder ends in a slash, and options are handed on."
  }
  assert {
    condition     = aws_s3_object.package.key == "byokwatch/${filesha256(var.package)}.zip" && aws_cloudformation_stack.byokwatch.parameters["CodeKey"] == aws_s3_object.package.key
    error_message = "The package's key follows from its content, and is where the stack finds it."
  }
  assert {
    condition     = aws_cloudformation_stack.byokwatch.capabilities == toset(["CAPABILITY_NAMED_IAM"]) && aws_cloudformation_stack.byokwatch.region == var.deployment.region && aws_s3_object.package.region == var.deployment.region
    error_message = "It is made in the deployment's Region, with roles that have names."
  }
  assert {
    condition     = length(setsubtract(keys(aws_cloudformation_stack.byokwatch.parameters), keys(jsondecode(aws_cloudformation_stack.byokwatch.template_body).Parameters))) == 0
    error_message = "Each parameter is one that the template has."
  }
  assert {
    condition     = alltrue([for name, p in jsondecode(aws_cloudformation_stack.byokwatch.template_body).Parameters : contains(keys(aws_cloudformation_stack.byokwatch.parameters), name) if !contains(keys(p), "Default")])
    error_message = "Each parameter without a default is given."
  }
}

run "another_cloud" {
  command = plan

  variables {
    deployment = merge(jsondecode(file("../../testdata/aws.json")), { cloud = "gcp" })
  }
  expect_failures = [var.deployment]
}

run "secrets_that_are_nowhere" {
  command = plan

  variables {
    deployment = merge(jsondecode(file("../../testdata/aws.json")), { secrets = ["SLACK_WEBHOOK_URL"] })
  }
  expect_failures = [var.deployment]
}

run "what_the_configuration_says" {
  command = plan

  variables {
    options = { Mode = "enforce" }
  }
  expect_failures = [var.options]
}

run "no_package" {
  command = plan

  variables {
    package = "tests/missing.zip"
  }
  # The hash of a file that is not there can't be told either.
  expect_failures = [var.package]
}

run "another_account" {
  command = plan

  variables {
    deployment = merge(jsondecode(file("../../testdata/aws.json")), { account = "444455556666" })
  }
  expect_failures = [aws_cloudformation_stack.byokwatch]
}

run "no_prefix" {
  command = plan

  variables {
    deployment = merge(jsondecode(file("../../testdata/aws.json")), { store = { bucket = "acme-byokwatch", prefix = "" } })
  }
  assert {
    condition     = aws_cloudformation_stack.byokwatch.parameters["StoreFolder"] == ""
    error_message = "A store without a prefix has no folder, not one named /."
  }
}

# 4,096 characters are taken, one more is not.
run "as_many_keys_as_fit" {
  command = plan

  variables {
    deployment = merge(jsondecode(file("../../testdata/aws.json")), {
      scopes = merge(jsondecode(file("../../testdata/aws.json")).scopes, { keys = [format("%04096d", 0)] })
    })
  }
  assert {
    condition     = length(aws_cloudformation_stack.byokwatch.parameters["Keys"]) == 4096
    error_message = "A parameter is filled up to its limit."
  }
}

run "too_many_keys" {
  command = plan

  variables {
    deployment = merge(jsondecode(file("../../testdata/aws.json")), {
      scopes = merge(jsondecode(file("../../testdata/aws.json")).scopes, { keys = [format("%04097d", 0)] })
    })
  }
  expect_failures = [var.deployment]
}
