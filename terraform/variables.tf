variable "root" {
  description = "The folder of lambdas.yaml, such as path.root or \"$${path.root}/..\"."
  type        = string

  validation {
    condition     = fileexists("${var.root}/dist/lambdas.json")
    error_message = "There is no dist/lambdas.json in ${var.root}: run doit there, before the plan."
  }
}

variable "functions" {
  description = "Names of the functions in lambdas.yaml to give, with all their variants; null for all."
  type        = set(string)
  default     = null

  validation {
    condition = length(setsubtract(
      coalesce(var.functions, []),
      [for entry in jsondecode(file("${var.root}/dist/lambdas.json")) : entry.lambda],
    )) == 0
    error_message = "Not all of these functions are in dist/lambdas.json: check their names in lambdas.yaml, and run doit."
  }
}
