"""`strip`, `aws_services`, `compression: best` and duplicates, from the manifest to the ZIP."""
