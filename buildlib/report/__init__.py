"""One page about all that was built: `dist/report.html`, for people."""
