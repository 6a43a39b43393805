"""How often the check of imports is right, over packages and examples that users have."""
