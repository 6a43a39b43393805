variable "root" {
  description = "The folder of lambdas.yaml."
  type        = string
}

variable "entries" {
  description = "For each id of a function or layer, its entry in an index, in a published list, or in an answer of the program."
  type        = any
}
