"""Tests of buildlib.environment, a file for each module."""
