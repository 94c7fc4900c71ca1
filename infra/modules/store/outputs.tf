output "table_arns" {
  description = "The tables' ARNs by what they hold, for example `sealed-halves`."
  value       = { for name, table in aws_dynamodb_table.this : name => table.arn }
}

output "intake_stream_arn" {
  description = "The stream of the intake's keys."
  value       = aws_dynamodb_table.this["intake"].stream_arn
}
