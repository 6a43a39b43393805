"""Python sources, read for the target's version: syntax, names, imports."""
