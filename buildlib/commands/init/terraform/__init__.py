"""Find functions in Terraform: `aws_lambda_function`, terraform-aws-modules/lambda, own modules."""
