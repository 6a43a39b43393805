"""Tests of buildlib.cache, a file for each module."""
