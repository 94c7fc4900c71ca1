output "name" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "invoke_arn" {
  description = "The ARN by which API Gateway calls it."
  value       = aws_lambda_function.this.invoke_arn
}

output "log_group_name" {
  description = "Its log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "policy" {
  description = "What its role may do, as JSON."
  value       = aws_iam_role_policy.this.policy
}

output "role_arn" {
  description = "Its role's ARN."
  value       = aws_iam_role.this.arn
}
