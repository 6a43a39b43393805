"""`lambdas publish`, `promote`, `gc` and `rebuild`: ZIPs in a bucket of S3, by their content."""
