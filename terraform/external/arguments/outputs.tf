output "lambdas" {
  description = "For each variant id, the arguments of aws_lambda_function."
  value = {
    for id, entry in var.entries : id => merge(local.code[id], {
      lambda        = entry.lambda
      handler       = entry.handler
      runtime       = entry.runtime
      architectures = [entry.architecture]
      layers        = try(entry.layers, [])
      tags          = { "lambda-zip:id" = id }
    }) if can(entry.lambda)
  }
}

output "layers" {
  description = "For each variant id of a layer, the arguments of aws_lambda_layer_version."
  value = {
    for id, entry in var.entries : id => merge(local.code[id], {
      layer                    = entry.layer
      compatible_runtimes      = [entry.runtime]
      compatible_architectures = [entry.architecture]
    }) if can(entry.layer)
  }
}
