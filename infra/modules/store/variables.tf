variable "prefix" {
  description = "What the tables' names begin with, for example `vault-`."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,32}$", var.prefix))
    error_message = "Use 1 to 32 letters, digits, `_`, `.` and `-`."
  }
}

variable "kms_key_arn" {
  description = "The key that encrypts the tables at rest; null for the key that AWS manages for DynamoDB in this account."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether tables refuse to be deleted. Only a deployment that holds nothing of worth does without."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of every table."
  type        = map(string)
  default     = {}
}
