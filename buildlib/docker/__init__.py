"""One engine, one image, one container."""
