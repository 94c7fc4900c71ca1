variable "name" {
  description = "The API's name."
  type        = string
}

variable "functions" {
  description = "The functions by their operations."
  type = map(object({
    name       = string
    invoke_arn = string
  }))
}

variable "domain" {
  description = "A domain of your own, with its certificate in this region; null for the one that API Gateway gives."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null
}

variable "requests_per_second" {
  description = "How many requests a second the gateway lets through, over all routes; it answers 429 to the rest."
  type        = number
  default     = 1000
}

variable "burst" {
  description = "How many requests may come at once before that counts."
  type        = number
  default     = 2000
}

variable "log_retention_days" {
  description = "How long access logs are kept, in days, as CloudWatch Logs knows them."
  type        = number
  default     = 365
}

variable "log_kms_key_arn" {
  description = "The key that encrypts access logs; null for CloudWatch's own."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
