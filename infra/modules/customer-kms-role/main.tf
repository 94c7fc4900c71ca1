# What a customer applies in an account of their own: the key that wraps data keys, and the role by which the vault enters. The vault
# refuses the role unless its trust policy demands the external id.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  keys = "arn:${data.aws_partition.this.partition}:kms:*:${data.aws_caller_identity.this.account_id}:key/*"
}

resource "aws_kms_key" "kek" {
  description             = "PostQ Vault: wraps the data keys of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  # IAM decides, which here means that the role below does.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheAccountAdministers"
      Effect    = "Allow"
      Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })

  lifecycle {
    # Without it nothing that it wrapped opens again.
    prevent_destroy = true
  }
}

resource "aws_iam_role" "vault" {
  name                 = var.name
  description          = "PostQ Vault enters by this role, under its organisation's external id"
  max_session_duration = 3600
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = var.vault_principal_arns }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })
}

resource "aws_iam_role_policy" "vault" {
  name = "keys"
  role = aws_iam_role.vault.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "WrapDataKeys"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = aws_kms_key.kek.arn
      }],
      [for statement in [
        {
          # CreateKey knows no resource: what it makes must carry the mark.
          Sid       = "MakeHalves"
          Effect    = "Allow"
          Action    = ["kms:CreateKey", "kms:TagResource"]
          Resource  = "*"
          Condition = { StringLike = { "aws:RequestTag/postq:deployment" = "*" } }
        },
        {
          Sid       = "UseHalves"
          Effect    = "Allow"
          Action    = ["kms:Sign", "kms:GetPublicKey", "kms:DescribeKey", "kms:ListResourceTags", "kms:ScheduleKeyDeletion"]
          Resource  = local.keys
          Condition = { StringLike = { "aws:ResourceTag/postq:deployment" = "*" } }
        },
        {
          # ListKeys knows no resource either.
          Sid      = "FindHalves"
          Effect   = "Allow"
          Action   = ["kms:ListKeys"]
          Resource = "*"
        },
      ] : statement if var.halves]
    )
  })
}
