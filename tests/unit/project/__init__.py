"""Tests of buildlib.project, a file for each module."""
