"""Tests of buildlib.commands, a file for each module."""
