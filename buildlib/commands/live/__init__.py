"""Deployed functions: `drift`, `deploy` and `rollback`."""
