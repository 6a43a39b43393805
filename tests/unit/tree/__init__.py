"""Tests of buildlib.tree, a file for each module."""
