"""`lambdas ready`: the obstacles to a newer Python."""
