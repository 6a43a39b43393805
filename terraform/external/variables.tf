variable "root" {
  description = "The folder of lambdas.yaml, such as path.root or \"$${path.root}/..\"."
  type        = string

  validation {
    condition     = fileexists("${var.root}/lambdas.yaml")
    error_message = "${var.root} has no lambdas.yaml."
  }
}

variable "ids" {
  description = "Ids of the variants to return, such as team_keys-py3.13-arm64; null returns all."
  type        = set(string)
  default     = null

  validation {
    condition     = alltrue([for id in coalesce(var.ids, []) : can(regex("^[a-z0-9][a-z0-9_.-]*$", id))])
    error_message = "An id is the name of a function, or <name>-py<version>-<architecture>."
  }
}

variable "plan" {
  description = "Take the hashes of variants from lambdas.hashes.json if it matches the current inputs, and build these variants during apply."
  type        = bool
  default     = false
}

variable "program" {
  description = "Command that starts the program; it runs in `root`."
  type        = list(string)
  default     = ["python3", "-m", "buildlib", "external"]

  validation {
    condition     = length(var.program) > 0
    error_message = "The list needs at least one element, the program."
  }
}
