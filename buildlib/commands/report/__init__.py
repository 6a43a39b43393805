"""`doit report`: a page about the ZIPs in dist/ and their builds."""
