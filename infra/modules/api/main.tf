# The HTTP API: one route for each operation of docs/openapi.json, and everything else to `not-found`. It has no authorizer: each
# function checks the token itself, so that what decides about a call is one piece of code wherever the vault runs
# (docs/architecture.md).

locals {
  openapi = jsondecode(file("${path.module}/../../../docs/openapi.json"))

  # `POST /v1/sign` → `sign`
  routes = merge([
    for path, operations in local.openapi.paths : {
      for method, operation in operations : "${upper(method)} ${path}" => operation.tags[0]
    }
  ]...)

  all_routes = merge(local.routes, { "$default" = "not-found" })
}

resource "aws_apigatewayv2_api" "this" {
  name                         = var.name
  description                  = "PostQ Vault"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.domain != null
  tags                         = var.tags
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = toset(values(local.all_routes))

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.functions[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:Each function checks the token itself (docs/architecture.md); `health` and `not-found` take none
  for_each = local.all_routes

  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
}

resource "aws_lambda_permission" "this" {
  for_each = toset(values(local.all_routes))

  statement_id  = "gateway"
  action        = "lambda:InvokeFunction"
  function_name = var.functions[each.key].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  default_route_settings {
    throttling_rate_limit    = var.requests_per_second
    throttling_burst_limit   = var.burst
    detailed_metrics_enabled = true
  }

  # Neither the path nor the query: both are the caller's text.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId = "$context.requestId"
      time      = "$context.requestTime"
      address   = "$context.identity.sourceIp"
      route     = "$context.routeKey"
      status    = "$context.status"
      error     = "$context.integrationErrorMessage"
      millis    = "$context.responseLatency"
      bytes     = "$context.responseLength"
    })
  }
}

resource "aws_apigatewayv2_domain_name" "this" {
  for_each = var.domain == null ? {} : { this = var.domain }

  domain_name = each.value.name
  tags        = var.tags

  domain_name_configuration {
    certificate_arn = each.value.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each = aws_apigatewayv2_domain_name.this

  api_id      = aws_apigatewayv2_api.this.id
  domain_name = each.value.id
  stage       = aws_apigatewayv2_stage.this.id
}
