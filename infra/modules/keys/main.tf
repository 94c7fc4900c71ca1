# The KMS key under which the vault's own key-encryption key lies wrapped. The ciphertext is made once, by a command in infra/README.md,
# and no plaintext of it is ever outside KMS but in a function that opened it.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

resource "aws_kms_key" "signing_kek" {
  description             = "PostQ Vault ${var.name}: wraps the vault's key-encryption key"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  # IAM decides, which means that the functions' roles do: nobody else is given `kms:Decrypt` by this module.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountAdministers"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
    ]
  })

  lifecycle {
    # Without it no key that the vault sealed opens again.
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "signing_kek" {
  name          = "alias/${var.name}-signing-kek"
  target_key_id = aws_kms_key.signing_kek.key_id
}
