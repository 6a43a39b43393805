"""Run uv with the user's access to package indexes."""
