"""The installers: each puts a variant's pinned distributions into an empty folder."""
