"""What is remembered between runs; nothing here decides alone."""
