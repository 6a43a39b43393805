"""`python -m buildlib init`: propose a manifest for an existing repository."""
