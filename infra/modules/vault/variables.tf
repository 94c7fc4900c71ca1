variable "name" {
  description = "The deployment's name, which stands in the names of all that is made: 3 to 24 lower-case letters, digits and `-`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "Use 3 to 24 lower-case letters, digits and `-`, beginning with a letter and not ending with `-`."
  }
}

variable "packages" {
  description = "The folder of the zips that `cargo xtask package` made, one for each operation."
  type        = string
}

variable "architecture" {
  description = "What they were built for: `arm64` or `x86_64`."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Name `arm64` or `x86_64`."
  }
}

variable "signing_kek_ciphertext" {
  description = "The vault's key-encryption key as KMS wrapped it, in base64: what the output `make_ciphertext_command` prints. It is no secret. Empty until the key that wraps it exists."
  type        = string
  default     = ""

  validation {
    condition     = var.signing_kek_ciphertext == "" || can(regex("^[A-Za-z0-9+/]+={0,2}$", var.signing_kek_ciphertext))
    error_message = "It is base64, as `aws kms generate-data-key-without-plaintext` prints it with `--query CiphertextBlob --output text`."
  }
}

variable "signing_kek_previous_ciphertext" {
  description = "The key-encryption key before this one, while keys are moved (docs/operations.md)."
  type        = string
  default     = null
}

variable "customer_role_arns" {
  description = "The roles by which the vault may enter customers' accounts."
  type        = list(string)
  default     = []
}

variable "outbound_federation" {
  description = "Whether the vault may prove its identity to Azure and Google Cloud by AWS's assertions, for organisations that hand over no secret. The account must have outbound identity federation turned on."
  type        = bool
  default     = false
}

variable "single_organisation" {
  description = "Whether the vault serves one organisation, whose settings may do without a role: then the functions use this account's KMS as themselves."
  type        = bool
  default     = false
}

variable "own_account_kek_arns" {
  description = "With `single_organisation`: the symmetric keys of this account that may wrap data keys."
  type        = list(string)
  default     = []
}

variable "cors_origins" {
  description = "Origins that may call from a browser, such as the dashboard's."
  type        = list(string)
  default     = []
}

variable "domain" {
  description = "The API's own domain, with its certificate in this region."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null
}

variable "dashboard" {
  description = "Whether there is a dashboard, with a domain (its certificate in us-east-1) and a web ACL of its own if it has them; null for none."
  type = object({
    domain = optional(object({
      name            = string
      certificate_arn = string
    }))
    web_acl_arn = optional(string)
  })
  default = null
}

variable "requests_per_second" {
  description = "How many requests a second the gateway lets through."
  type        = number
  default     = 1000
}

variable "burst" {
  description = "How many requests may come at once before that counts."
  type        = number
  default     = 2000
}

variable "memory_mb" {
  description = "Memory in MiB by operation, where it is to differ from 256, or from 512 of those that work through batches (docs/performance.md says what more of it buys)."
  type        = map(number)
  default     = {}
}

variable "reserved_concurrency" {
  description = "How many calls may run at a time by operation, where that is to be bounded."
  type        = map(number)
  default     = {}
}

variable "table_kms_key_arn" {
  description = "The key that encrypts the tables at rest; null for the one that AWS manages for DynamoDB."
  type        = string
  default     = null
}

variable "log_kms_key_arn" {
  description = "The key that encrypts logs; null for CloudWatch's own."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long logs are kept, in days, as CloudWatch Logs knows them."
  type        = number
  default     = 365
}

variable "deletion_protection" {
  description = "Whether tables refuse to be deleted."
  type        = bool
  default     = true
}

variable "tracing" {
  description = "Whether X-Ray traces calls."
  type        = bool
  default     = true
}

variable "alarm_topic_arns" {
  description = "Whom alarms tell: SNS topics."
  type        = list(string)
  default     = []
}

variable "environment" {
  description = "More variables of every function, such as `RUST_LOG`."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
