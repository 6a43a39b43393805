"""Tests of buildlib.files, a file for each module."""
