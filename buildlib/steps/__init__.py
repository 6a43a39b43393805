"""One file a step, and the one driver that runs them."""
