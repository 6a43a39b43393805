"""Tests of buildlib.artifacts, a file for each module."""
