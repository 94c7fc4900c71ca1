output "api_url" {
  description = "Where the API is."
  value       = module.api.url
}

output "dashboard_url" {
  description = "Where the dashboard is; null without one."
  value       = one([for dashboard in module.dashboard : dashboard.url])
}

output "make_ciphertext_command" {
  description = "Has KMS make the vault's key-encryption key: its output is the variable `signing_kek_ciphertext`."
  value       = module.keys.make_ciphertext_command
}

output "first_token_command" {
  description = "Makes an organisation and writes its first token, which is shown this once, into the file `org.json`."
  value       = "umask 077; echo '{\"name\":\"My organisation\",\"environment\":\"live\"}' | aws lambda invoke --function-name ${module.function["create-org"].name} --payload fileb:///dev/stdin org.json"
}

output "role_arns_that_enter_customers_accounts" {
  description = "The functions' roles that a customer's role must trust."
  value       = [for operation, row in local.permissions : module.function[operation].role_arn if contains(keys(row), "customer-roles")]
}

output "observability_url" {
  description = "The CloudWatch dashboard."
  value       = module.observability.dashboard_url
}
