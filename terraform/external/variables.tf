variable "root" {
  description = "The folder of lambdas.yaml, such as path.root or \"$${path.root}/..\"."
  type        = string

  validation {
    condition     = fileexists("${var.root}/lambdas.yaml")
    error_message = "There is no lambdas.yaml in ${var.root}."
  }
}

variable "ids" {
  description = "Ids of variants, such as team_keys-py3.13-arm64; null for all."
  type        = set(string)
  default     = null

  validation {
    condition     = alltrue([for id in coalesce(var.ids, []) : can(regex("^[a-z0-9][a-z0-9_.-]*$", id))])
    error_message = "An id is the name of a function, or <name>-py<version>-<architecture>."
  }
}

variable "plan" {
  description = "Take hashes from lambdas.hashes.json where it has the present inputs, and build at apply."
  type        = bool
  default     = false
}

variable "program" {
  description = "How to start the program, from `root`."
  type        = list(string)
  default     = ["python3", "-m", "buildlib", "external"]

  validation {
    condition     = length(var.program) > 0
    error_message = "Name at least the program itself."
  }
}
