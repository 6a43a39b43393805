"""Tests of buildlib.archive, a file for each module."""
