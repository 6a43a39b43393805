"""Assemble an environment and a function's sources into the canonical tree."""
