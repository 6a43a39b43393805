"""The bytecode of sources, by a key of all that decides about it.

An entry has the sha256 of its content, and a damaged one counts as missing. Many processes and
checkouts may share the folder.
"""

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_DIGEST = hashlib.sha256().digest_size

# The last use of an entry is noted once in this many seconds.
_NOTED = 86_400


class Bytecode(NamedTuple):
    """A folder of entries, each in the folder of the first digits of its key."""

    folder: Path

    def find(self, key: str) -> bytes | None:
        """Return the content for a key; None if it is missing or damaged."""
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as stream:
                used = os.fstat(stream.fileno()).st_mtime
                content = stream.read()
        except OSError:
            return None
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            return None
        if time.time() - used > _NOTED:
            with contextlib.suppress(OSError):  # it is another user's
                os.utime(path)
        return content[_DIGEST:]

    def put(self, key: str, content: bytes) -> None:
        """Add a content; ignore errors, such as a full disk, as the cache only saves time."""
        path = self._path(key)
        # A shared folder may have processes of several hosts, with equal ids.
        temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield the last use (seconds since the epoch), the size and the path of each entry."""
        for folder in self.folder.glob("*/"):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        status = entry.stat()
                        yield status.st_mtime, status.st_size, Path(entry.path)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key
