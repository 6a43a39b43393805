"""The canonical mtime and mode of staged files."""

import os
from collections.abc import Iterable
from pathlib import Path

from buildlib.contract import MODE, MTIME


def touch(tree: Path, paths: Iterable[str]) -> None:
    """Set the canonical mtime and mode of the files that do not have them yet."""
    top = f"{tree}{os.sep}"
    for path in paths:
        name = top + path
        status = os.stat(name)
        if status.st_mode & 0o7777 != MODE:
            os.chmod(name, MODE)
        if status.st_mtime_ns != MTIME * 1_000_000_000:
            os.utime(name, (MTIME, MTIME))
