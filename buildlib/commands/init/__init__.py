"""`python -m buildlib init`: a manifest for a repository that exists."""
