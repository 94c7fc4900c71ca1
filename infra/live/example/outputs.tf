output "api_url" {
  description = "Where the API is."
  value       = module.vault.api_url
}

output "make_ciphertext_command" {
  description = "Has KMS make the vault's key-encryption key."
  value       = module.vault.make_ciphertext_command
}

output "first_token_command" {
  description = "Makes an organisation and writes its first token into `org.json`."
  value       = module.vault.first_token_command
}

output "role_arns_that_enter_customers_accounts" {
  description = "The functions' roles that a customer's role must trust."
  value       = module.vault.role_arns_that_enter_customers_accounts
}

output "observability_url" {
  description = "The CloudWatch dashboard."
  value       = module.vault.observability_url
}

output "dashboard_url" {
  description = "Where the dashboard is; null without one."
  value       = module.vault.dashboard_url
}
