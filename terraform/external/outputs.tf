output "lambdas" {
  description = "For each variant id, the arguments of aws_lambda_function that the build determines, and the function's name in lambdas.yaml."
  value = {
    for id, entry in local.lambdas : id => {
      lambda           = entry.lambda
      filename         = "${var.root}/${entry.path}"
      source_code_hash = entry.source_code_hash
      handler          = entry.handler
      runtime          = entry.runtime
      architectures    = [entry.architecture]
      layers           = compact(split(" ", try(entry.layers, "")))
    }
  }

  # Change a function only after its ZIP is built.
  depends_on = [terraform_data.zip]
}

output "layers" {
  description = "For each variant id of a layer, the arguments of aws_lambda_layer_version that the build determines, and the layer's name in lambdas.yaml."
  value = {
    for id, entry in local.layers : id => {
      layer                    = entry.layer
      filename                 = "${var.root}/${entry.path}"
      source_code_hash         = entry.source_code_hash
      compatible_runtimes      = [entry.runtime]
      compatible_architectures = [entry.architecture]
    }
  }

  depends_on = [terraform_data.zip]
}
