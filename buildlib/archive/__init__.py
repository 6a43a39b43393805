"""Write a tree to a ZIP, and read ZIPs."""
