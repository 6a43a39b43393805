"""The handler that AWS's client loads to measure a start: it imports the function's module.

This file is not imported by the package. It runs in the function's process. The handler itself does
nothing, so that the function's code does not handle an event.
"""

import os

# Unlike importlib's functions, this call is one of those whose time `-X importtime` reports.
__import__(os.environ["LAMBDA_ZIP_PROBE"])


def handler(_event: object, _context: object) -> None:
    """Do nothing."""
