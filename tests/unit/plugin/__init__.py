"""Tests of buildlib.plugin, a file for each module."""
