"""The constants of the byte contract (docs/explanation/byte-contract.md)."""

import deflate

# The version of the byte contract; see docs/explanation/byte-contract.md before changing it.
CONTRACT = 1


# The encoder of deflated members, pinned exactly in pyproject.toml.
DEFLATE_LEVEL = 6


# 2012-12-12 12:12:00 UTC, the one mtime.
MTIME = 1_355_314_320


# The one mode: readable by any user, and executable where it must be.
MODE = 0o755


def encoder() -> str:
    """Return the name, version and level of the compressor."""
    return f"deflate {deflate.__version__} level {DEFLATE_LEVEL}"
