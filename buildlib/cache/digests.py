"""sha256 of files, remembered until a file may have changed.

Content decides, never the mtime alone: a remembered digest is used only while size, mtime, ctime
and inode are all the same. No program can set the ctime back, so an edit with the same size and
mtime is detected. As in git's index, a file that changed within the clock's grain before it was
hashed may change again undetected, so its digest is not remembered. Where ctime is the time of
creation (Windows), no digest is remembered.
"""

import functools
import hashlib
import os
from pathlib import Path
from typing import Any

from buildlib.cache import clock
from buildlib.cache.clock import Clock
from buildlib.files import records

_FORMAT = 1


_SHAPE = records.fields(format=records.number, files=records.mapping)


_CHUNK = 1 << 17


Signature = tuple[int, int, int, int]


# The sha256 and the signature of a file.
_ENTRY = records.row(records.sha256, *(lambda part: type(part) is int for _ in range(4)))


def sha256(path: str | Path) -> str:
    """Return the hex sha256 of a file's content."""
    return measured(path)[0]


def measured(path: str | Path) -> tuple[str, int]:
    """Return the hex sha256 of a file's content, and its size in bytes."""
    # Unbuffered, because one read is enough for most files.
    with open(path, "rb", buffering=0) as stream:
        chunk = stream.read(_CHUNK)
        digest, size = hashlib.sha256(chunk), len(chunk)
        while len(chunk) == _CHUNK:
            chunk = stream.read(_CHUNK)
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def signature(status: os.stat_result) -> Signature:
    """Return the size, mtime (ns), ctime (ns) and inode of a file, which any change alters."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def signature_of(path: str | os.PathLike[str]) -> Signature | None:
    """Return the signature of a file; None if it is missing."""
    try:
        return signature(os.stat(path))
    except OSError:
        return None


class Digests:
    """The digests of a repository's files, kept in one file between runs.

    Paths are relative to the root, so the file may be restored in another checkout. All inodes and
    times differ there, so every content is hashed once.
    """

    def __init__(self, root: Path, file: Path, clock: Clock | None = None) -> None:
        self.root = root
        self._clock = clock or Clock(root, file.parent)
        self._file = file
        self._changed = False
        self._prefix = len(str(root)) + 1
        self._written: dict[str, tuple[str, Signature]] = {}

    @functools.cached_property
    def _known(self) -> dict[str, Any]:
        """The remembered digests; read on demand, as a run without changes needs none."""
        value = records.read(self._file, _SHAPE)
        return value["files"] if value and value["format"] == _FORMAT else {}

    def sha256_of(self, path: str, status: os.stat_result) -> str:
        """Return the hex sha256 of the file `path` (absolute) with the given, fresh status."""
        self._clock.begin()
        name = path[self._prefix :].replace(os.sep, "/")
        entry = self._known.get(name)
        current = signature(status)
        if self._written.get(path, ("", None))[1] == current:
            return self._written[path][0]
        if clock.CTIME_IS_CHANGE and entry and _ENTRY(entry) and tuple(entry[1:]) == current:
            return str(entry[0])
        digest = sha256(path)
        newest = max(status.st_mtime_ns, status.st_ctime_ns)
        if self._clock.is_old(newest, {status.st_dev}):
            self._known[name] = [digest, *current]
            self._changed = True
        elif self._known.pop(name, None):
            self._changed = True
        return digest

    def wrote(self, path: str, sha256: str) -> None:
        """Remember the digest of a file that this process has just written, until the process ends.

        The file is too young for `sha256_of` to remember its digest.
        """
        self._written[path] = (sha256, signature(os.stat(path)))

    def forget(self) -> None:
        """Forget all digests, after one of them turned out to be wrong."""
        self._known.clear()
        self._written.clear()
        self._changed = True

    def save(self) -> None:
        """Write the digests if any changed; ignore errors, as the next run can hash again."""
        if not self._changed:
            return
        try:
            records.write(self._file, {"format": _FORMAT, "files": self._known})
        except OSError:
            return
        self._changed = False
