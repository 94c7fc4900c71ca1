variable "name" {
  description = "The deployment's name."
  type        = string
}

variable "tags" {
  description = "Tags of the key."
  type        = map(string)
  default     = {}
}
