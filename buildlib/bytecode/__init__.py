"""Bytecode for a ZIP: compiled by a pinned CPython, and the same bytes wherever that runs."""
