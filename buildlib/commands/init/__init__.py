"""`lambdas init`: propose a manifest for an existing repository."""
