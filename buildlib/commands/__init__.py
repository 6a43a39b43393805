"""What a person asks for beyond a build."""
