"""Caches that outlive a run; none of them decides alone."""
