output "dashboard_url" {
  description = "The CloudWatch dashboard."
  value       = "https://${data.aws_region.this.name}.console.aws.amazon.com/cloudwatch/home?region=${data.aws_region.this.name}#dashboards:name=${var.name}"
}
