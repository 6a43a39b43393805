"""`python -m buildlib init`: what a repository has becomes a proposal for lambdas.yaml."""
