variable "region" {
  description = "The AWS region, for example `eu-central-1`."
  type        = string
}

variable "name" {
  description = "The deployment's name."
  type        = string
  default     = "vault"
}

variable "architecture" {
  description = "What `cargo xtask package` built for: `arm64` or `x86_64`."
  type        = string
  default     = "arm64"
}

variable "signing_kek_ciphertext" {
  description = "What `terraform output -raw make_ciphertext_command`, run, printed."
  type        = string
  default     = ""
}

variable "signing_kek_previous_ciphertext" {
  description = "The one before, while keys are moved."
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

variable "cors_origins" {
  description = "Origins that may call from a browser."
  type        = list(string)
  default     = []
}

variable "dashboard" {
  description = "Whether there is a dashboard: `{}`, or with a domain and a web ACL of its own as the module takes them; null for none."
  type = object({
    domain = optional(object({
      name            = string
      certificate_arn = string
    }))
    web_acl_arn = optional(string)
  })
  default = null
}

variable "deletion_protection" {
  description = "Whether tables refuse to be deleted."
  type        = bool
  default     = true
}

variable "alarm_topic_arns" {
  description = "Whom alarms tell: SNS topics."
  type        = list(string)
  default     = []
}
