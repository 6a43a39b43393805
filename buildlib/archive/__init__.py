"""A tree to a ZIP, and a ZIP to what is in it."""
