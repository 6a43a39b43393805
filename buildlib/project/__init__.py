"""The inputs of each variant as they are now."""
