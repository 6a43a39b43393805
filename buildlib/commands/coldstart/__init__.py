"""Measure the cold start of a function, and find the causes."""
