"""Unit tests of the remote cache."""
