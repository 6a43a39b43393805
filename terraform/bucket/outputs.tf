output "url" {
  description = "The address for 'lambdas publish --bucket'."
  value       = "s3://${aws_s3_bucket.this.id}/${var.prefix}"

  # Without versions and without the policy the bucket promises nothing.
  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_policy.this]
}

output "role_arn" {
  description = "The role for the jobs that publish; null without oidc_subjects."
  value       = one(aws_iam_role.publish[*].arn)
}

output "publish_policy" {
  description = "The policy of that role, for a role of your own."
  value       = data.aws_iam_policy_document.publish.json
}
