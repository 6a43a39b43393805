"""An environment and sources to the canonical tree."""
