variable "name" {
  description = "The deployment's name: the dashboard's, and what the alarms' names begin with."
  type        = string
}

variable "api_id" {
  description = "The HTTP API's id."
  type        = string
}

variable "function_names" {
  description = "The functions' names by their operations."
  type        = map(string)
}

variable "log_groups" {
  description = "The functions' log groups by their operations."
  type        = map(string)
}

variable "error_rate_percent" {
  description = "From how many percent of 5xx on somebody is told."
  type        = number
  default     = 1
}

variable "p99_millis" {
  description = "How long, in milliseconds, all answers but one in a hundred may take."
  type        = number
  default     = 2000
}

variable "alarm_topic_arns" {
  description = "Whom alarms tell: SNS topics."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of the alarms."
  type        = map(string)
  default     = {}
}
