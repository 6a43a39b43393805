output "lambdas" {
  description = "For each variant id, the arguments of aws_lambda_function that the build determines, and the function's name in lambdas.yaml."
  value = {
    for id, entry in local.index : id => {
      lambda           = entry.lambda
      filename         = "${var.root}/${try(entry.path, "")}"
      source_code_hash = try(entry.source_code_hash, "")
      handler          = entry.handler
      runtime          = entry.runtime
      architectures    = [entry.architecture]
      layers           = try(entry.layers, [])
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
    condition     = length(local.unbuilt) == 0
    error_message = "Not built from the present inputs: ${join(", ", local.unbuilt)}. Run doit where they can be built, before the plan."
  }

  precondition {
    condition     = alltrue([for entry in local.index : fileexists("${var.root}/${try(entry.path, "")}")])
    error_message = "A ZIP that dist/lambdas.json lists is missing: run doit before the plan."
  }
}

output "layers" {
  description = "For each variant id of a layer, the arguments of aws_lambda_layer_version that the build determines, and the layer's name in lambdas.yaml."
  value = {
    for id, entry in local.layers : id => {
      layer                    = entry.layer
      filename                 = "${var.root}/${try(entry.path, "")}"
      source_code_hash         = try(entry.source_code_hash, "")
      compatible_runtimes      = [entry.runtime]
      compatible_architectures = [entry.architecture]
    }
  }

  precondition {
    condition     = length(local.unbuilt_layers) == 0
    error_message = "Layers that are not built from the present inputs: ${join(", ", local.unbuilt_layers)}. Run doit before the plan."
  }

  precondition {
    condition     = alltrue([for entry in local.layers : fileexists("${var.root}/${try(entry.path, "")}")])
    error_message = "A ZIP that dist/layers.json lists is missing: run doit before the plan."
  }
}
