mock_provider "aws" {}

variables {
  prefix = "vault-"
}

run "nothing_is_lost_by_accident" {
  command = plan

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.deletion_protection_enabled])
    error_message = "A table can be deleted."
  }

  assert {
    condition     = [for name, table in aws_dynamodb_table.this : name if !table.point_in_time_recovery[0].enabled] == ["tombstones"]
    error_message = "All tables but the tombstones can be put back to an earlier hour."
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.server_side_encryption[0].enabled && table.billing_mode == "PAY_PER_REQUEST"])
    error_message = "A table is encrypted by KMS, and paid for by the request."
  }

  assert {
    condition     = [for name, table in aws_dynamodb_table.this : name if table.stream_enabled == true] == ["intake"]
    error_message = "The intake alone has a stream."
  }
}
