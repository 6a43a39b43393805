"""Safe files: atomic writes, locks, walks and names."""
