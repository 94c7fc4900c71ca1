output "url" {
  description = "Where the API is."
  value       = var.domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.domain.name}"
}

output "domain_target" {
  description = "What a domain of your own must point at, as an alias; null without one."
  value       = one([for domain in aws_apigatewayv2_domain_name.this : domain.domain_name_configuration[0].target_domain_name])
}

output "api_id" {
  description = "The API's id."
  value       = aws_apigatewayv2_api.this.id
}
