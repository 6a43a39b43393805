"""Reproducible, incremental AWS Lambda ZIPs, as tasks of doit."""

__version__ = "0.1.0"
