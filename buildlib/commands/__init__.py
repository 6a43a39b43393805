"""The commands that a person runs besides a build."""
