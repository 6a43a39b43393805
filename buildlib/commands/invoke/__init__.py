"""`doit invoke`: run a ZIP as Lambda does."""
