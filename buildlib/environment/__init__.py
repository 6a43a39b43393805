"""Install pins into a canonical environment, from wheels or in a container."""
