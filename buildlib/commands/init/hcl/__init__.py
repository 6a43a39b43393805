"""HCL, the language of Terraform: read files, and evaluate expressions without Terraform."""
