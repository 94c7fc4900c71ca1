output "key_arn" {
  description = "The key, for `postq vault settings put --aws-key-arn`."
  value       = aws_kms_key.kek.arn
}

output "role_arn" {
  description = "The role, for `--aws-role-arn`."
  value       = aws_iam_role.vault.arn
}

output "settings_command" {
  description = "Tries both out and saves them."
  value       = "postq vault settings put --aws-key-arn ${aws_kms_key.kek.arn} --aws-role-arn ${aws_iam_role.vault.arn}"
}
