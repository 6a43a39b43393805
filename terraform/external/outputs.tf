output "lambdas" {
  description = "By the id of each variant, the arguments of aws_lambda_function that the build knows, and the name of the function."
  value = {
    for id, entry in local.lambdas : id => {
      lambda           = entry.lambda
      filename         = "${var.root}/${entry.path}"
      source_code_hash = entry.source_code_hash
      handler          = entry.handler
      runtime          = entry.runtime
      architectures    = [entry.architecture]
    }
  }

  # A function changes only after its ZIP was built.
  depends_on = [terraform_data.zip]
}
