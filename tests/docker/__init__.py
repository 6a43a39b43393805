"""Tests against a real Docker engine, which .ci/docker-engine sets up."""
