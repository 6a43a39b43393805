output "lambdas" {
  description = "For each variant id, the arguments of aws_lambda_function that the build determines, and the function's name in lambdas.yaml."
  value       = module.arguments.lambdas

  # Change a function only after its ZIP is built.
  depends_on = [terraform_data.zip]
}

output "layers" {
  description = "For each variant id of a layer, the arguments of aws_lambda_layer_version that the build determines, and the layer's name in lambdas.yaml."
  value       = module.arguments.layers
  depends_on  = [terraform_data.zip]
}
