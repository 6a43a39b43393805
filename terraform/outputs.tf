output "lambdas" {
  description = "By the id of each variant, the arguments of aws_lambda_function that the build knows, and the name of the function."
  value = {
    for id, entry in local.index : id => {
      lambda           = entry.lambda
      filename         = "${var.root}/${entry.path}"
      source_code_hash = entry.source_code_hash
      handler          = entry.handler
      runtime          = entry.runtime
      architectures    = [entry.architecture]
    } if var.functions == null || contains(coalesce(var.functions, []), entry.lambda)
  }

  precondition {
    condition     = alltrue([for entry in local.index : fileexists("${var.root}/${entry.path}")])
    error_message = "A ZIP that dist/lambdas.json lists is missing: run doit, before the plan."
  }
}
