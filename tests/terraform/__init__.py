"""A real `terraform` with the real AWS provider, on the API that moto serves."""
