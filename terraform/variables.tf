variable "root" {
  description = "The folder of lambdas.yaml, such as path.root or \"$${path.root}/..\"."
  type        = string
}

variable "functions" {
  description = "Names of functions in lambdas.yaml to return, with all their variants; null returns all."
  type        = set(string)
  default     = null
}

variable "published" {
  description = "The list of `lambdas publish`, such as \"lambdas.published.json\", relative to `root`: the code comes from S3, and nothing needs to be built. Null takes the code from dist/."
  type        = string
  default     = null
}
