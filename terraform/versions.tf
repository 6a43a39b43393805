# terraform_data and what the validations use exist since 1.9; OpenTofu's 1.9 has them, too.
terraform {
  required_version = ">= 1.9"
}
