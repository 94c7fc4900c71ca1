output "signing_kek_key_arn" {
  description = "The key that wraps the vault's key-encryption key."
  value       = aws_kms_key.signing_kek.arn
}

output "make_ciphertext_command" {
  description = "Has KMS make the vault's key-encryption key, and prints its ciphertext: the variable `signing_kek_ciphertext`."
  value       = "aws kms generate-data-key-without-plaintext --key-id ${aws_kms_key.signing_kek.arn} --key-spec AES_256 --encryption-context postq:purpose=signing-kek --query CiphertextBlob --output text"
}
