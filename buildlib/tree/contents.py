"""The contents of a function's own files, each read once while its tree is staged."""

import hashlib
import os
from pathlib import Path

from buildlib.model import Origin

# The largest file to keep, and the most to keep of all files, in bytes.
_FILE, _ALL = 1 << 16, 1 << 23


class Contents:
    """Small own files of a repository, as they were when they were hashed."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._known: dict[str, bytes] = {}
        self._size = 0

    def of(self, origin: Origin) -> bytes | None:
        """Return the content of a small file; None if it is large, gone or changed."""
        known = self._known.get(origin.path)
        if known is not None:
            return known
        if origin.file.size > _FILE or self._size + origin.file.size > _ALL:
            return None
        try:
            with open(self._root + origin.path, "rb", buffering=0) as stream:
                content = stream.read(_FILE + 1)
        except OSError:  # the caller says what is wrong
            return None
        if hashlib.sha256(content).hexdigest() != origin.file.sha256:
            return None
        self._known[origin.path] = content
        self._size += len(content)
        return content
