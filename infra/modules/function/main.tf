# One operation: a Lambda with a role that may do its row of docs/aws-permissions.json and nothing else.

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  name = "${var.prefix}${var.operation}"

  writes = ["PutItem", "UpdateItem", "DeleteItem"]

  # What of the row is about tables.
  on_tables = { for target, actions in var.permissions : target => actions if contains(keys(var.table_arns), target) }

  writer = anytrue([for actions in values(local.on_tables) : length(setintersection(actions, local.writes)) > 0])

  table_statements = [
    for table, actions in local.on_tables : {
      Sid      = "Table${replace(title(replace(table, "-", " ")), " ", "")}"
      Effect   = "Allow"
      Action   = [for action in actions : "dynamodb:${action}"]
      Resource = var.table_arns[table]
    }
  ]

  # Who writes looks first whether the tables are those that they were, or were put back to an earlier hour.
  identity_statements = local.writer ? [{
    Sid      = "TablesAreTheSame"
    Effect   = "Allow"
    Action   = ["dynamodb:DescribeTable"]
    Resource = [for table, arn in var.table_arns : arn if table != "tombstones"]
  }] : []

  kek_statements = contains(keys(var.permissions), "signing-kek") ? [{
    Sid       = "OpenTheVaultsKey"
    Effect    = "Allow"
    Action    = ["kms:Decrypt"]
    Resource  = var.signing_kek_key_arn
    Condition = { StringEquals = { "kms:EncryptionContext:postq:purpose" = "signing-kek" } }
  }] : []

  # Which roles those are is said by the customers' settings; which may be at all, by whoever deploys.
  role_statements = contains(keys(var.permissions), "customer-roles") && length(var.customer_role_arns) > 0 ? [{
    Sid      = "EnterCustomersAccounts"
    Effect   = "Allow"
    Action   = ["sts:AssumeRole"]
    Resource = var.customer_role_arns
  }] : []

  # For which cloud is said by the audience, which is an organisation's external id. This action knows no resource.
  assertion_statements = contains(keys(var.permissions), "customer-roles") && var.outbound_federation ? [{
    Sid      = "ProveItsIdentity"
    Effect   = "Allow"
    Action   = ["sts:GetWebIdentityToken"]
    Resource = "*"
  }] : []

  # Without a role the vault acts as itself, and only in its own account: on the wrapping keys that are named, and on halves that
  # carry its mark. CreateKey and ListKeys know no resource; what is made must carry the mark.
  own_actions = var.own_account_kek_arns == null ? toset([]) : toset(lookup(var.permissions, "customer-keys", []))

  own_statements = [
    for statement in [
      {
        Sid       = "OwnWrappingKeys"
        Action    = setintersection(local.own_actions, ["Decrypt", "GenerateDataKey"])
        Resource  = coalesce(var.own_account_kek_arns, [])
        Condition = null
      },
      {
        Sid       = "OwnHalves"
        Action    = setintersection(local.own_actions, ["Sign", "GetPublicKey", "DescribeKey", "ListResourceTags", "ScheduleKeyDeletion"])
        Resource  = ["arn:${data.aws_partition.this.partition}:kms:*:${data.aws_caller_identity.this.account_id}:key/*"]
        Condition = { StringLike = { "aws:ResourceTag/postq:deployment" = "*" } }
      },
      {
        Sid       = "MakeHalves"
        Action    = setintersection(local.own_actions, ["CreateKey", "TagResource"])
        Resource  = ["*"]
        Condition = { StringLike = { "aws:RequestTag/postq:deployment" = "*" } }
      },
      {
        Sid       = "FindHalves"
        Action    = setintersection(local.own_actions, ["ListKeys"])
        Resource  = ["*"]
        Condition = null
      },
      ] : merge(
      { Sid = statement.Sid, Effect = "Allow", Action = [for action in statement.Action : "kms:${action}"], Resource = statement.Resource },
      { for name, condition in { Condition = statement.Condition } : name => condition if condition != null },
    ) if length(statement.Action) > 0
  ]

  invoke_statements = contains(keys(var.permissions), "seal-ledger") ? [{
    Sid      = "HaveTheLedgerSealed"
    Effect   = "Allow"
    Action   = ["lambda:InvokeFunction"]
    Resource = "arn:${data.aws_partition.this.partition}:lambda:${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}:function:${var.prefix}seal-ledger"
  }] : []

  stream_statements = var.stream_arn == null ? [] : [{
    Sid      = "ReadTheIntakesStream"
    Effect   = "Allow"
    Action   = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"]
    Resource = var.stream_arn
  }]

  log_statements = [{
    Sid      = "WriteItsLog"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = "${aws_cloudwatch_log_group.this.arn}:*"
  }]

  # These actions know no resource: X-Ray takes them for the account as a whole.
  trace_statements = var.tracing ? [{
    Sid      = "SendTraces"
    Effect   = "Allow"
    Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    Resource = "*"
  }] : []
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name = local.name
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "row"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.table_statements,
      local.identity_statements,
      local.kek_statements,
      local.role_statements,
      local.assertion_statements,
      local.own_statements,
      local.invoke_statements,
      local.stream_statements,
      local.log_statements,
      local.trace_statements,
    )
  })
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:Whoever calls by the gateway is answered; what a schedule or the stream began is begun again by the next
  #checkov:skip=CKV_AWS_117:It calls DynamoDB, KMS and STS alone, by TLS and its role; a network of its own would add ways, not take any away
  #checkov:skip=CKV_AWS_173:Its variables hold no secret: the key-encryption key is a ciphertext of KMS's
  #checkov:skip=CKV_AWS_272:A signing profile is an account's own; the plan shows the hash of each zip, which anybody can make again
  function_name                  = local.name
  description                    = "PostQ Vault: ${var.operation}"
  role                           = aws_iam_role.this.arn
  filename                       = var.zip
  source_code_hash               = fileexists(var.zip) ? filebase64sha256(var.zip) : null # A plan can be made before the packages are.
  package_type                   = "Zip"
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  tags                           = var.tags

  environment {
    variables = var.environment
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  # Nothing is logged to a group that Lambda would make by itself, without an end to its retention.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = {
    errors    = { metric = "Errors", what = "ended without an answer: see its log" }
    throttles = { metric = "Throttles", what = "was called more often at a time than it may run" }
  }

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${local.name} ${each.value.what}."
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}
