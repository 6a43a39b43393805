"""A folder for the PYTHONPATH of build backends."""
