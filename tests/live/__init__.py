"""Deployed functions, in moto's Lambda over HTTP."""
