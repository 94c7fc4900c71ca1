# What runs by itself.

locals {
  schedules = {
    sequence-events = "rate(1 minute)"
    seal-ledger     = "rate(1 minute)"
    reconcile-keys  = "rate(1 minute)"
    rotate-due-keys = "rate(1 hour)"
  }
}

# Events get their place as soon as they enter the intake; the schedule takes on what the stream did not wake for.
resource "aws_lambda_event_source_mapping" "intake" {
  event_source_arn                   = module.store.intake_stream_arn
  function_name                      = module.function["sequence-events"].arn
  starting_position                  = "LATEST"
  batch_size                         = 1000
  maximum_batching_window_in_seconds = 1
  maximum_retry_attempts             = 3
  bisect_batch_on_function_error     = true

  # Only what enters: what leaves has its place.
  filter_criteria {
    filter {
      pattern = jsonencode({ eventName = ["INSERT"] })
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.schedules

  name                = "${local.prefix}${each.key}"
  description         = "PostQ Vault: ${each.key}"
  schedule_expression = each.value
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.schedules

  rule = aws_cloudwatch_event_rule.this[each.key].name
  arn  = module.function[each.key].arn
}

resource "aws_lambda_permission" "schedule" {
  for_each = local.schedules

  statement_id  = "schedule"
  action        = "lambda:InvokeFunction"
  function_name = module.function[each.key].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this[each.key].arn
}

# A look through every account for halves that belong to no key: a call for each of its keys, so not often.
resource "aws_cloudwatch_event_rule" "survey" {
  name                = "${local.prefix}survey"
  description         = "PostQ Vault: reconcile-keys, looking through every account"
  schedule_expression = "rate(6 hours)"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "survey" {
  rule  = aws_cloudwatch_event_rule.survey.name
  arn   = module.function["reconcile-keys"].arn
  input = jsonencode({ survey = true })
}

resource "aws_lambda_permission" "survey" {
  statement_id  = "survey"
  action        = "lambda:InvokeFunction"
  function_name = module.function["reconcile-keys"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.survey.arn
}
