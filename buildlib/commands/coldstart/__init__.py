"""Measure the cold start of a function, and find out what it spends its time on."""
