variable "root" {
  description = "The folder of lambdas.yaml, such as path.root or \"$${path.root}/..\"."
  type        = string

  validation {
    condition     = fileexists("${var.root}/dist/lambdas.json")
    error_message = "${var.root} has no dist/lambdas.json: run doit there before the plan."
  }
}

variable "functions" {
  description = "Names of functions in lambdas.yaml to return, with all their variants; null returns all."
  type        = set(string)
  default     = null
}
