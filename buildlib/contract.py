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


# The version of the rules by which symbols are cut from shared objects. Raise it if the same file
# gives another one.
STRIP = 1


# The levels of the deflate encoder, whose version pyproject.toml pins exactly: of `deflate`, and of
# `best`, which is the highest of libdeflate.
DEFLATE_LEVEL, BEST_LEVEL = 6, 12


# 2012-12-12 12:12:00 UTC, the one mtime.
MTIME = 1_355_314_320


# The one mode: any user may read every file, and run those that must be executable.
MODE = 0o755


def level(compression: str) -> int:
    """Return the level of the deflate encoder for a value of the key `compression`."""
    return BEST_LEVEL if compression == "best" else DEFLATE_LEVEL


def encoder(compression: str = "deflate") -> str:
    """Return the name, version and level of the deflate encoder; empty without compression."""
    if compression == "stored":
        return ""
    return f"deflate {deflate.__version__} level {level(compression)}"
