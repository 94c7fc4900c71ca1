# What a vault comes to, made of nothing: no role may do more than its row, and nothing that is worth anything can be deleted by accident.

mock_provider "aws" {
  # Names that are only known once something is made stand for it in the plan.
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d" }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-central-1:123456789012:table/any"
      stream_arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/any/stream/1"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/any" }
  }

  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:eu-central-1:123456789012:function:any"
      invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:any/invocations"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:any" }
  }

  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:any"
      api_endpoint  = "https://any.execute-api.eu-central-1.amazonaws.com"
    }
  }

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/any" }
  }
}

variables {
  name                   = "vault"
  packages               = "packages"
  signing_kek_ciphertext = "AQIDAHg="
  customer_role_arns     = ["arn:aws:iam::210987654321:role/postq-vault"]
}

run "roles" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for function in module.function : [
        for statement in jsondecode(function.policy).Statement : [
          for action in statement.Action : !strcontains(action, "*")
        ]
      ]
    ]))
    error_message = "A role has a wildcard for an action."
  }

  assert {
    condition = alltrue(flatten([
      for function in module.function : [
        for statement in jsondecode(function.policy).Statement :
        contains(["SendTraces"], statement.Sid) || !contains(flatten([statement.Resource]), "*")
      ]
    ]))
    error_message = "A role has a wildcard for a resource, and not because the action knows none."
  }

  assert {
    condition = toset([
      for operation, function in module.function : operation
      if length([for statement in jsondecode(function.policy).Statement : true if statement.Sid == "TableSealedHalves" && contains(statement.Action, "dynamodb:GetItem")]) > 0
    ]) == toset(["rotate-due-keys", "rotate-key", "rotate-ledger-key", "seal-ledger", "sign"])
    error_message = "Others than those that sign read sealed halves."
  }

  assert {
    condition = toset([
      for operation, function in module.function : operation
      if length([for statement in jsondecode(function.policy).Statement : true if statement.Sid == "OpenTheVaultsKey"]) > 0
      ]) == toset([
      "create-key", "create-org", "put-settings", "reconcile-keys", "rewrap-keys", "rotate-due-keys", "rotate-key", "rotate-ledger-key", "seal-ledger", "sign",
      "test-settings"
    ])
    error_message = "The vault's key-encryption key is opened by others than those that make, sign with, move or check keys."
  }

  assert {
    condition = alltrue([
      for function in module.function : length([
        for statement in jsondecode(function.policy).Statement : true
        if statement.Sid == "TableTombstones" && (contains(statement.Action, "dynamodb:DeleteItem") || contains(statement.Action, "dynamodb:UpdateItem"))
      ]) == 0
    ])
    error_message = "A role can take a revocation back."
  }

  assert {
    condition     = length(jsondecode(module.function["health"].policy).Statement) == 2
    error_message = "`health` writes its log and sends traces, and nothing else."
  }
}

run "outbound_federation" {
  command = plan

  variables {
    outbound_federation = true
  }

  assert {
    condition = toset([
      for operation, function in module.function : operation
      if contains([for statement in jsondecode(function.policy).Statement : statement.Sid], "ProveItsIdentity")
    ]) == toset([for operation, row in jsondecode(file("../../../docs/aws-permissions.json")) : operation if contains(keys(row), "customer-roles")])
    error_message = "Others than those that enter accounts prove who they are, or not all of them do."
  }
}

run "own_account" {
  command = plan

  variables {
    single_organisation  = true
    own_account_kek_arns = ["arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d"]
  }

  assert {
    condition = alltrue(flatten([
      for function in module.function : [
        for statement in jsondecode(function.policy).Statement :
        contains(["SendTraces", "MakeHalves", "FindHalves"], statement.Sid) || !contains(flatten([statement.Resource]), "*")
      ]
    ]))
    error_message = "A role has a wildcard for a resource, and not because the action knows none."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(module.function["sign"].policy).Statement : statement.Action if startswith(statement.Sid, "Own")
    ])) == toset(["kms:Decrypt", "kms:Sign"])
    error_message = "`sign` uses keys of its own account otherwise than to sign."
  }
}

run "names_and_bounds" {
  command = plan

  variables {
    name = "-"
  }

  expect_failures = [var.name]
}

run "a_ciphertext_is_base64" {
  command = plan

  variables {
    signing_kek_ciphertext = "not base64"
  }

  expect_failures = [var.signing_kek_ciphertext]
}
