"""Tests of buildlib.uv, a file for each module."""
