variable "name" {
  description = "The role's name."
  type        = string
  default     = "postq-vault"
}

variable "vault_principal_arns" {
  description = "Who may assume the role: the vault's functions' roles, or the account that they are in, `arn:aws:iam::ACCOUNT:root`."
  type        = list(string)

  validation {
    condition     = length(var.vault_principal_arns) > 0 && !contains(var.vault_principal_arns, "*")
    error_message = "Name roles or accounts; `*` would let anybody ask."
  }
}

variable "external_id" {
  description = "Your organisation's external id, as `postq auth status` shows it."
  type        = string

  validation {
    condition     = can(regex("^postq-[0-9a-f]{32}$", var.external_id))
    error_message = "It is `postq-` and 32 hexadecimal digits: `postq auth status` shows it."
  }
}

variable "halves" {
  description = "Whether the vault may make keys of its own in this account, and sign with them: Tiers 2 and 3."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of the key and the role."
  type        = map(string)
  default     = {}
}
