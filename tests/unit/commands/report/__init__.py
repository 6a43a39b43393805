"""Tests of buildlib.commands.report, a file for each module."""
