# The tables. All have a partition key `pk` and a sort key `sk`; what stands in which is in docs/aws.md.

locals {
  names = [
    "orgs", "tokens", "keys", "sealed-halves", "successions", "tombstones", "issued", "intake",
    "ledger", "checkpoints", "usage", "replies", "settings", "provider-secrets", "intents", "outbox", "policies",
    "rotations",
  ]
}

resource "aws_dynamodb_table" "this" {
  for_each = toset(local.names)

  name                        = "${var.prefix}${each.key}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  # Sequencing is woken by what enters the intake. Its keys say whose it is.
  stream_enabled   = each.key == "intake"
  stream_view_type = each.key == "intake" ? "KEYS_ONLY" : null

  dynamic "ttl" {
    for_each = each.key == "replies" ? ["ttl"] : []

    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  # A table is put back as a new one, which the vault notices by its id; it writes nothing until `recover` ran. Tombstones are never
  # put back: a backup of them could only bring revoked keys to life.
  point_in_time_recovery {
    enabled = each.key != "tombstones"
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  tags = var.tags
}
