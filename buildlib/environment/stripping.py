"""Decide which files of an environment lose their symbols."""

from collections.abc import Collection

from buildlib.environment import symbols
from buildlib.environment.symbols import Cut

MAGIC = b"\x7fELF"

# Suffixes of most files, none of which the loader opens.
_TEXT = (".py", ".pyc", ".pyi", ".json", ".gz", ".txt")


def is_candidate(path: str) -> bool:
    """Tell whether a path can be that of a shared object; its first bytes are then `MAGIC`."""
    return not path.endswith(_TEXT)


def cut(path: str, content: bytes, paths: Collection[str]) -> Cut:
    """Return a file without its symbols, if it can be without; `paths` are those of all files."""
    found = symbols.cut(content)
    if found.content != content and _has_checksum(path, paths):
        return Cut(content, "is compared with a checksum when it is loaded")
    return found


def _has_checksum(path: str, paths: Collection[str]) -> bool:
    """Tell whether a library for FIPS compares its own file with a checksum that is elsewhere.

    Those of NSS, libgcrypt and GnuTLS have it in a file next to them, the module of OpenSSL in its
    configuration.
    """
    folder, slash, name = path.rpartition("/")
    stem = name.partition(".so")[0]
    near = (f"{stem}.chk", f".{name}.hmac", f"{name}.hmac")
    return name == "fips.so" or any(folder + slash + one in paths for one in near)
