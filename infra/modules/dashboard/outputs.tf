output "url" {
  description = "Where the dashboard is."
  value       = "https://${var.domain == null ? aws_cloudfront_distribution.this.domain_name : var.domain.name}/vault"
}

output "bucket" {
  description = "Where its files go."
  value       = aws_s3_bucket.this.bucket
}

output "distribution_id" {
  description = "What is invalidated once they are there."
  value       = aws_cloudfront_distribution.this.id
}
