"""The files in `dist/`, which never disagree."""
