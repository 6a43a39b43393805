"""Tests of buildlib.manifest, a file for each module."""
