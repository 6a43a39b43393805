"""Tests of buildlib.steps, a file for each module."""
