# A vault in one account: infra/README.md goes through it step by step.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Application = "postq-vault" }
  }
}

module "vault" {
  source = "../../modules/vault"

  name                            = var.name
  packages                        = "${path.module}/../../../target/lambda-packages/${var.architecture}"
  architecture                    = var.architecture
  signing_kek_ciphertext          = var.signing_kek_ciphertext
  signing_kek_previous_ciphertext = var.signing_kek_previous_ciphertext
  customer_role_arns              = var.customer_role_arns
  outbound_federation             = var.outbound_federation
  cors_origins                    = var.cors_origins
  dashboard                       = var.dashboard
  deletion_protection             = var.deletion_protection
  alarm_topic_arns                = var.alarm_topic_arns
}
