variable "operation" {
  description = "The operation, for example `sign`."
  type        = string
}

variable "prefix" {
  description = "What the names of the function, its role and its log group begin with, for example `vault-`."
  type        = string
}

variable "zip" {
  description = "The packaged binary, as `cargo xtask package` makes it."
  type        = string
}

variable "architecture" {
  description = "What the binary was built for: `arm64` or `x86_64`."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Name `arm64` or `x86_64`."
  }
}

variable "permissions" {
  description = "The operation's row of docs/aws-permissions.json: actions by table or kind of key."
  type        = map(list(string))
}

variable "table_arns" {
  description = "The tables' ARNs by what they hold."
  type        = map(string)
}

variable "signing_kek_key_arn" {
  description = "The key that wraps the vault's key-encryption key."
  type        = string
}

variable "customer_role_arns" {
  description = "The roles by which customers' accounts may be entered; none, where no customer has one. A `*` in place of an account or a name is yours to justify."
  type        = list(string)
  default     = []
}

variable "outbound_federation" {
  description = "Whether the functions that enter accounts may have AWS make assertions of their identity, which clouds without roles take in place of a secret. The account must have outbound identity federation turned on."
  type        = bool
  default     = false
}

variable "own_account_kek_arns" {
  description = "Where the deployment serves a single organisation and enters this account as itself: the symmetric keys that wrap data keys. Null where it does not."
  type        = list(string)
  default     = null
}

variable "stream_arn" {
  description = "The stream that the function reads, if it does."
  type        = string
  default     = null
}

variable "environment" {
  description = "The function's variables (docs/aws.md)."
  type        = map(string)
}

variable "memory_mb" {
  description = "Memory in MiB, 128 to 10,240; the processor's share grows with it."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "Choose 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "How long a call may take, 1 to 900 seconds. A gateway waits 30."
  type        = number
  default     = 29

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "Choose 1 to 900."
  }
}

variable "reserved_concurrency" {
  description = "How many calls may run at a time; -1 leaves that to the account."
  type        = number
  default     = -1
}

variable "log_retention_days" {
  description = "How long logs are kept, in days, as CloudWatch Logs knows them: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, …"
  type        = number
  default     = 365
}

variable "log_kms_key_arn" {
  description = "The key that encrypts the log; null for CloudWatch's own."
  type        = string
  default     = null
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

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
