"""`lambdas.yaml` to functions and their variants."""
