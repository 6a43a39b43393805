"""Against a real Docker engine, set up by .ci/docker-engine."""
