"""The Docker engine, its images, and one container for each installation."""
