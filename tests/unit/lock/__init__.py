"""Tests of buildlib.lock, a file for each module."""
