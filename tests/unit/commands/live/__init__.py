"""Deployed functions, without AWS."""
