"""`doit invoke`: run the function in a ZIP as Lambda does."""
