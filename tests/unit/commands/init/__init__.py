"""Tests of buildlib.commands.invoke, a file for each module."""
