"""`doit report`: a page about everything that was built."""
