"""The constants of the byte contract (docs/explanation/byte-contract.md)."""

import deflate

# The version of the byte contract; see docs/explanation/byte-contract.md before changing it.
CONTRACT = 1


# The version of the rules by which dependencies are installed: the choice of wheels, the options of
# the installers, and the leftovers that are removed. Raise it if the same lock gives another tree.
INSTALLER = 1


# The version of the rules by which sources become bytecode. Raise it if the same CPython and source
# give another file.
BYTECODE = 1


# The level of the deflate encoder, whose version pyproject.toml pins exactly.
DEFLATE_LEVEL = 6


# 2012-12-12 12:12:00 UTC, the one mtime.
MTIME = 1_355_314_320


# The one mode: any user may read every file, and run those that must be executable.
MODE = 0o755


def encoder() -> str:
    """Return the name, version and level of the deflate encoder."""
    return f"deflate {deflate.__version__} level {DEFLATE_LEVEL}"
