"""sha256 of files, remembered as long as nothing can have changed them.

Content decides, never the mtime alone: a remembered digest is used only while size, mtime, ctime
and inode are all as they were. No program can set the ctime back, so an edit of the same size
under the same mtime is seen. As in git's index, a file changed within the clock's grain before it
was hashed may change again unseen, so its digest is not remembered. Where ctime is the time of
creation (Windows), nothing is remembered.
"""

import functools
import hashlib
import os
import time
from pathlib import Path

from buildlib.files import atomic

# Coarser than the timestamps of any file system in use (FAT: 2 s).
GRAIN_NS = 2_000_000_000


_FORMAT = 1


_CHUNK = 1 << 17


CTIME_IS_CHANGE = os.name != "nt"


Signature = tuple[int, int, int, int]


def sha256(path: str | Path) -> str:
    """Return the hex sha256 of a file's content."""
    return measured(path)[0]


def measured(path: str | Path) -> tuple[str, int]:
    """Return the hex sha256 of a file's content, and its size in bytes."""
    # Most files are small: one read for those, and no buffers in between.
    with open(path, "rb", buffering=0) as stream:
        chunk = stream.read(_CHUNK)
        digest, size = hashlib.sha256(chunk), len(chunk)
        while len(chunk) == _CHUNK:
            chunk = stream.read(_CHUNK)
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def signature(status: os.stat_result) -> Signature:
    """Return what is the same as long as a file is: size, mtime, ctime (ns), inode."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class Digests:
    """The digests of a repository's files, kept in one file between runs.

    Paths are relative to the root, so the record may be restored elsewhere: there all inodes and
    times differ, and the contents are hashed once.
    """

    def __init__(self, root: Path, record: Path) -> None:
        self.root = root
        self._record = record
        self._changed = False
        self._prefix = len(str(root)) + 1
        self._written: dict[str, tuple[str, Signature]] = {}

    @functools.cached_property
    def _known(self) -> dict[str, object]:
        """What was remembered: read when it is needed, as nothing is where all is settled."""
        value = atomic.read_json(self._record)
        known = value.get("files") if isinstance(value, dict) else None
        return known if isinstance(known, dict) and value.get("format") == _FORMAT else {}

    def of(self, path: str, status: os.stat_result) -> str:
        """Return the hex sha256 of the file `path` (absolute), whose status was just read."""
        name = path[self._prefix :].replace(os.sep, "/")
        known = self._known.get(name)
        now = signature(status)
        if self._written.get(path, ("", None))[1] == now:
            return self._written[path][0]
        if isinstance(known, list) and tuple(known[1:]) == now and CTIME_IS_CHANGE:
            return str(known[0])
        before = time.time_ns()
        value = sha256(path)
        if max(status.st_mtime_ns, status.st_ctime_ns) < before - GRAIN_NS:
            self._known[name] = [value, *now]
            self._changed = True
        elif self._known.pop(name, None):
            self._changed = True
        return value

    def wrote(self, path: str, sha256: str) -> None:
        """Take note of a file that this process has just written, until it ends.

        Its digest need not be found out again, though the file is too young for `of` to keep it.
        """
        self._written[path] = (sha256, signature(os.stat(path)))

    def forget(self) -> None:
        """Forget everything, as what was remembered of a file turned out to be wrong."""
        self._known.clear()
        self._written.clear()
        self._changed = True

    def save(self) -> None:
        """Write the record if there is something new; a record that cannot be written is lost."""
        if not self._changed:
            return
        try:
            atomic.write_json(self._record, {"format": _FORMAT, "files": self._known})
        except OSError:
            return
        self._changed = False
