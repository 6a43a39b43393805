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
}
