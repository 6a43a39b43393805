"""What is made of finished artifacts for others to read."""
