"""The canonical mtime and mode of staged files.

The mtime of the tree's folder says whether its files have them.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from buildlib.contract import MODE, MTIME

_MTIME_NS = MTIME * 1_000_000_000


def touch(tree: Path, paths: Iterable[str]) -> None:
    """Set the canonical mtime and mode of the files that do not have them yet."""
    top = f"{tree}{os.sep}"
    for path in paths:
        name = top + path
        status = os.stat(name)
        if status.st_mode & 0o7777 != MODE:
            os.chmod(name, MODE)
        if status.st_mtime_ns != _MTIME_NS:
            os.utime(name, (MTIME, MTIME))
    os.makedirs(tree, exist_ok=True)  # a layer may be empty
    os.utime(tree, (MTIME, MTIME))


def is_touched(tree: Path) -> bool:
    """Tell whether the files of a tree have canonical metadata."""
    try:
        return os.stat(tree).st_mtime_ns == _MTIME_NS
    except OSError:
        return False


def forget(tree: Path) -> None:
    """Note that the files of a tree may have any metadata."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.utime(tree)
