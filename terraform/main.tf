locals {
  index = jsondecode(file("${var.root}/dist/lambdas.json"))
}
