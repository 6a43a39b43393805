output "lambdas" {
  description = "For each variant id, the arguments of aws_lambda_function that the build determines, and the function's name in lambdas.yaml."
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
    condition = length(setsubtract(
      coalesce(var.functions, []),
      [for entry in local.index : entry.lambda],
    )) == 0
    error_message = "dist/lambdas.json lacks some of these functions: check their names in lambdas.yaml, then run doit."
  }

  precondition {
    condition     = alltrue([for entry in local.index : fileexists("${var.root}/${entry.path}")])
    error_message = "A ZIP that dist/lambdas.json lists is missing: run doit before the plan."
  }
}
