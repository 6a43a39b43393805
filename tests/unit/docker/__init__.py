"""Tests of buildlib.docker, a file for each module."""
