variable "name" {
  description = "The deployment's name."
  type        = string
}

variable "api_url" {
  description = "The API, which the page may call: its origin."
  type        = string
}

variable "domain" {
  description = "A domain of your own, with its certificate in us-east-1; null for the one that CloudFront gives."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null
}

variable "web_acl_arn" {
  description = "A web ACL of AWS WAF, if you have one."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
