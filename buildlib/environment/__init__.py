"""Pins to a canonical environment, from wheels or in a container."""
