mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d" }
  }
}

variables {
  vault_principal_arns = ["arn:aws:iam::210987654321:role/vault-sign"]
  external_id          = "postq-0123456789abcdef0123456789abcdef"
}

run "the_trust_demands_the_external_id" {
  command = plan

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role.vault.assume_role_policy).Statement :
      statement.Condition.StringEquals["sts:ExternalId"] == var.external_id && statement.Principal.AWS == ["arn:aws:iam::210987654321:role/vault-sign"]
    ])
    error_message = "Somebody else than the vault, or without the external id, may enter."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.vault.policy).Statement) == 4
    error_message = "The role wraps, makes halves, uses them and finds them."
  }
}

run "without_halves_it_wraps_alone" {
  command = plan

  variables {
    halves = false
  }

  assert {
    condition     = flatten([for statement in jsondecode(aws_iam_role_policy.vault.policy).Statement : statement.Action]) == ["kms:GenerateDataKey", "kms:Decrypt"]
    error_message = "The role may do more than wrap data keys."
  }
}

run "not_everybody" {
  command = plan

  variables {
    vault_principal_arns = ["*"]
  }

  expect_failures = [var.vault_principal_arns]
}

run "an_external_id_of_the_vaults" {
  command = plan

  variables {
    external_id = "mine"
  }

  expect_failures = [var.external_id]
}
