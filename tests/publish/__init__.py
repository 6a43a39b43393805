"""Published ZIPs: publish, promote, collect garbage and rebuild, against real servers of S3."""
