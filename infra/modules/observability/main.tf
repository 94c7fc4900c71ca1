# What wakes somebody, and what they look at then. docs/operations.md says what to do about each alarm.

data "aws_region" "this" {}

locals {
  metric = "PostQVault/${var.name}"

  # What the functions' logs tell, as metrics. Each line is an object of JSON; `code` is the answer's, as docs/api.md lists them.
  counted = {
    KmsDenied = {
      pattern = "{ $.code = \"kms_denied\" || $.code = \"credentials_unavailable\" || $.code = \"kek_unavailable\" }"
      what    = "KMS, or a customer's account, refused"
    }
    StoreRefused = {
      pattern = "{ $.code = \"store_unavailable\" || $.code = \"store_restored\" }"
      what    = "DynamoDB did not answer, or tables were put back to an earlier hour"
    }
    KeyIntegrity = {
      pattern = "{ $.code = \"key_integrity\" || $.code = \"policy_unreadable\" }"
      what    = "a stored record is not one that the vault wrote"
    }
    CleaningUpFails = {
      pattern = "{ $.message = \"cleaning up at a cloud failed*\" }"
      what    = "halves that are to be deleted are still there"
    }
    RotationFails = {
      pattern = "{ $.message = \"a key whose time has come was not rotated\" }"
      what    = "a key that rotates by itself was not rotated"
    }
  }

  filters = merge([
    for metric, counted in local.counted : {
      for operation, group in var.log_groups : "${metric}-${operation}" => { metric = metric, pattern = counted.pattern, group = group }
    }
  ]...)
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.filters

  name           = "${var.name}-${each.key}"
  log_group_name = each.value.group
  pattern        = each.value.pattern

  metric_transformation {
    namespace     = local.metric
    name          = each.value.metric
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "counted" {
  for_each = local.counted

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.what}: docs/operations.md, the alarm ${each.key}."
  namespace           = local.metric
  metric_name         = each.key
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "error_rate" {
  alarm_name          = "${var.name}-ErrorRate"
  alarm_description   = "More than ${var.error_rate_percent} % of answers are 5xx: docs/operations.md, the alarm ErrorRate."
  evaluation_periods  = 2
  threshold           = var.error_rate_percent
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id          = "rate"
    expression  = "100 * failed / answered"
    label       = "5xx, % of all answers"
    return_data = true
  }

  metric_query {
    id = "failed"

    metric {
      namespace   = "AWS/ApiGateway"
      metric_name = "5xx"
      dimensions  = { ApiId = var.api_id }
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "answered"

    metric {
      namespace   = "AWS/ApiGateway"
      metric_name = "Count"
      dimensions  = { ApiId = var.api_id }
      stat        = "Sum"
      period      = 300
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  alarm_name          = "${var.name}-Latency"
  alarm_description   = "One answer in a hundred takes over ${var.p99_millis} ms: docs/operations.md, the alarm Latency."
  namespace           = "AWS/ApiGateway"
  metric_name         = "Latency"
  dimensions          = { ApiId = var.api_id }
  extended_statistic  = "p99"
  period              = 300
  evaluation_periods  = 3
  threshold           = var.p99_millis
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}

# Events wait longer than they should for their place. Nothing is lost by it: whoever needs a place sequences first.
resource "aws_cloudwatch_metric_alarm" "sequencer_age" {
  alarm_name          = "${var.name}-SequencerAge"
  alarm_description   = "The intake's stream is over a minute behind: docs/operations.md, the alarm SequencerAge."
  namespace           = "AWS/Lambda"
  metric_name         = "IteratorAge"
  dimensions          = { FunctionName = var.function_names["sequence-events"] }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 60000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}

# The schedule seals every ledger with something new. Where it has not run, checkpoints grow old.
resource "aws_cloudwatch_metric_alarm" "ledger_lag" {
  alarm_name          = "${var.name}-LedgerLag"
  alarm_description   = "No ledger was sealed for a quarter of an hour: docs/operations.md, the alarm LedgerLag."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = var.function_names["seal-ledger"] }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for number, widget in [
        {
          title = "Answers"
          metrics = [
            ["AWS/ApiGateway", "Count", "ApiId", var.api_id, { stat = "Sum" }],
            ["AWS/ApiGateway", "4xx", "ApiId", var.api_id, { stat = "Sum" }],
            ["AWS/ApiGateway", "5xx", "ApiId", var.api_id, { stat = "Sum" }],
          ]
        },
        {
          title = "Latency, ms"
          metrics = [
            for stat in ["p50", "p99"] : ["AWS/ApiGateway", "Latency", "ApiId", var.api_id, { stat = stat, label = stat }]
          ]
        },
        {
          title = "Signatures: calls and errors"
          metrics = [
            for metric in ["Invocations", "Errors", "Throttles"] : ["AWS/Lambda", metric, "FunctionName", var.function_names["sign"], { stat = "Sum" }]
          ]
        },
        {
          title   = "What was refused"
          metrics = [for metric in keys(local.counted) : [local.metric, metric, { stat = "Sum" }]]
        },
        {
          title   = "Age of the intake's stream, ms"
          metrics = [["AWS/Lambda", "IteratorAge", "FunctionName", var.function_names["sequence-events"], { stat = "Maximum" }]]
        },
        {
          title   = "Sealing"
          metrics = [for metric in ["Invocations", "Errors"] : ["AWS/Lambda", metric, "FunctionName", var.function_names["seal-ledger"], { stat = "Sum" }]]
        },
        ] : {
        type   = "metric"
        width  = 12
        height = 6
        x      = 12 * (number % 2)
        y      = 6 * floor(number / 2)
        properties = {
          title   = widget.title
          metrics = widget.metrics
          period  = 300
          view    = "timeSeries"
          region  = data.aws_region.this.name
        }
      }
    ]
  })
}
