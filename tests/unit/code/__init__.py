"""The room `code`."""
