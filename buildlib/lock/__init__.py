"""Requirements to a lockfile to pins."""
