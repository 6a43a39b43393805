variable "bucket" {
  description = "The name of the bucket, which has to be in the region of the functions."
  type        = string
}

variable "prefix" {
  description = "The prefix of the objects: that of 'lambdas publish --bucket s3://bucket/prefix'. A prefix belongs to one repository."
  type        = string
  default     = "code"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", var.prefix))
    error_message = "Set a prefix of letters, digits, '_', '.', '-' and '/', without a slash at either end."
  }
}

variable "admin_arns" {
  description = "ARNs of the principals that may delete versions of objects, such as the role that runs 'lambdas gc --versions'. Patterns with * are allowed. Nobody else may, whatever other policies allow."
  type        = set(string)

  validation {
    condition     = length(var.admin_arns) > 0
    error_message = "Name at least one principal: otherwise no version could ever be deleted."
  }
}

variable "reader_arns" {
  description = "ARNs of principals of other accounts that may read objects, such as the role that runs 'lambdas promote'."
  type        = set(string)
  default     = []
}

variable "lambda_account_ids" {
  description = "Accounts whose functions and layers may use objects in place (S3ObjectStorageMode: REFERENCE)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.lambda_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "An account id has 12 digits."
  }
}

variable "signing_profile_arns" {
  description = "ARNs of profiles of AWS Signer with which jobs may sign, without a version: for 'lambdas publish --signing-profile'. Signer may then write below signing/, under the prefix."
  type        = set(string)
  default     = []
}

variable "oidc_provider_arn" {
  description = "ARN of the IAM identity provider of the CI service."
  type        = string
  default     = null
}

variable "oidc_audience" {
  description = "The audience of the tokens of the CI service: sts.amazonaws.com with GitHub Actions, the address of the instance with GitLab."
  type        = string
  default     = "sts.amazonaws.com"
}

variable "oidc_subjects" {
  description = "The jobs that may publish, such as repo:acme/lambdas:ref:refs/heads/main or repo:acme/lambdas:environment:production. Without any no role is made."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for subject in var.oidc_subjects : !strcontains(subject, "*")])
    error_message = "Name each branch or environment: with a '*' any branch, or any pull request, could publish."
  }
}

variable "role_name" {
  description = "The name of the role for publishing."
  type        = string
  default     = "lambdas-publish"
}

variable "tags" {
  description = "Tags of the bucket and the role."
  type        = map(string)
  default     = {}
}
