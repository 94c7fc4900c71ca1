# A whole vault in one account and region: tables, the key that wraps its key-encryption key, one Lambda an operation, the API, alarms and,
# if it is wanted, the dashboard.

locals {
  prefix = "${var.name}-"

  # Actions by operation and by table or kind of key, as the tests observe them.
  permissions = jsondecode(file("${path.module}/../../../docs/aws-permissions.json"))

  # Nobody waits for these at a gateway.
  workers = {
    create-org        = { timeout = 60, memory = 256 }
    recover           = { timeout = 900, memory = 512 }
    reconcile-keys    = { timeout = 900, memory = 256 }
    rotate-due-keys   = { timeout = 900, memory = 256 }
    rewrap-keys       = { timeout = 900, memory = 256 }
    rotate-ledger-key = { timeout = 60, memory = 256 }
    sequence-events   = { timeout = 120, memory = 512 }
    # By its route as well, where a caller waits for as long as the gateway does.
    seal-ledger = { timeout = 300, memory = 512 }
  }

  opens_the_kek = [for operation, row in local.permissions : operation if contains(keys(row), "signing-kek")]
  seals         = [for operation, row in local.permissions : operation if contains(keys(row), "seal-ledger")]
}

module "store" {
  source = "../store"

  prefix              = local.prefix
  kms_key_arn         = var.table_kms_key_arn
  deletion_protection = var.deletion_protection
  tags                = var.tags
}

module "keys" {
  source = "../keys"

  name = var.name
  tags = var.tags
}

module "function" {
  source   = "../function"
  for_each = local.permissions

  operation            = each.key
  prefix               = local.prefix
  zip                  = "${var.packages}/${each.key}.zip"
  architecture         = var.architecture
  permissions          = each.value
  table_arns           = module.store.table_arns
  signing_kek_key_arn  = module.keys.signing_kek_key_arn
  customer_role_arns   = var.customer_role_arns
  outbound_federation  = var.outbound_federation
  own_account_kek_arns = var.single_organisation ? var.own_account_kek_arns : null
  stream_arn           = each.key == "sequence-events" ? module.store.intake_stream_arn : null
  memory_mb            = lookup(var.memory_mb, each.key, try(local.workers[each.key].memory, 256))
  timeout_seconds      = try(local.workers[each.key].timeout, 29)
  reserved_concurrency = lookup(var.reserved_concurrency, each.key, -1)
  log_retention_days   = var.log_retention_days
  log_kms_key_arn      = var.log_kms_key_arn
  tracing              = var.tracing
  alarm_topic_arns     = var.alarm_topic_arns
  tags                 = var.tags

  environment = merge(
    { POSTQ_TABLES = local.prefix },
    length(var.cors_origins) == 0 ? {} : { POSTQ_CORS_ORIGINS = join(",", var.cors_origins) },
    var.single_organisation ? { POSTQ_SINGLE_ORG = "true" } : {},
    contains(local.seals, each.key) ? { POSTQ_SEAL_FUNCTION = "${local.prefix}seal-ledger" } : {},
    contains(local.opens_the_kek, each.key) ? merge(
      { POSTQ_SIGNING_KEK_CIPHERTEXT = var.signing_kek_ciphertext },
      var.signing_kek_previous_ciphertext == null ? {} : { POSTQ_SIGNING_KEK_PREVIOUS_CIPHERTEXT = var.signing_kek_previous_ciphertext },
    ) : {},
    var.environment,
  )
}

module "api" {
  source = "../api"

  name                = var.name
  functions           = { for operation, function in module.function : operation => { name = function.name, invoke_arn = function.invoke_arn } }
  domain              = var.domain
  requests_per_second = var.requests_per_second
  burst               = var.burst
  log_retention_days  = var.log_retention_days
  log_kms_key_arn     = var.log_kms_key_arn
  tags                = var.tags
}

module "observability" {
  source = "../observability"

  name             = var.name
  api_id           = module.api.api_id
  function_names   = { for operation, function in module.function : operation => function.name }
  log_groups       = { for operation, function in module.function : operation => function.log_group_name }
  alarm_topic_arns = var.alarm_topic_arns
  tags             = var.tags
}

module "dashboard" {
  source   = "../dashboard"
  for_each = var.dashboard == null ? {} : { this = var.dashboard }

  name        = var.name
  api_url     = module.api.url
  domain      = each.value.domain
  web_acl_arn = each.value.web_acl_arn
  tags        = var.tags
}
