variable "name" {
  description = "The deployment's name."
  type        = string
}

variable "api_url" {
  description = "Where the API is, https://HOST: the distribution has it under /v1, beside the page."
  type        = string
}

variable "files" {
  description = "Where the built page is; null for dashboard/dist of this checkout."
  type        = string
  default     = null
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
