"""The command `lambdas`: the same graph as `doit`, for everyone who has never heard of doit."""
