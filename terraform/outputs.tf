output "lambdas" {
  description = "For each variant id, the arguments of aws_lambda_function that the build determines, and the function's name in lambdas.yaml."
  value       = module.arguments.lambdas

  precondition {
    condition     = fileexists("${var.root}/${local.files[0]}")
    error_message = "${var.root} has no ${local.files[0]}: run ${local.command} there before the plan."
  }

  precondition {
    condition = length(setsubtract(
      coalesce(var.functions, []),
      [for entry in local.entries.lambdas : entry.lambda],
    )) == 0
    error_message = "${local.files[0]} lacks some of these functions: check their names in lambdas.yaml, then run ${local.command}."
  }

  precondition {
    condition     = length(local.unbuilt.lambdas) == 0
    error_message = "Not built from the present inputs: ${join(", ", local.unbuilt.lambdas)}. Run doit where they can be built, before the plan."
  }

  precondition {
    condition     = length(local.absent.lambdas) == 0
    error_message = "${local.files[0]} lists functions whose ZIP is missing: ${join(", ", local.absent.lambdas)}. Run ${local.command} before the plan."
  }
}

output "layers" {
  description = "For each variant id of a layer, the arguments of aws_lambda_layer_version that the build determines, and the layer's name in lambdas.yaml."
  value       = module.arguments.layers

  precondition {
    condition     = length(local.unbuilt.layers) == 0
    error_message = "Layers that are not built from the present inputs: ${join(", ", local.unbuilt.layers)}. Run doit before the plan."
  }

  precondition {
    condition     = length(local.absent.layers) == 0
    error_message = "Layers whose ZIP is missing: ${join(", ", local.absent.layers)}. Run ${local.command} before the plan."
  }
}
