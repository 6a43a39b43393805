"""The store: finished ZIPs by their keys.

The same key gives the same bytes, so a return to earlier inputs is a cache hit, and so is a build
in a clean checkout with another checkout's store. An entry is a ZIP and a file with its sha256. The
ZIP is hashed when it is taken, and a corrupt entry is dropped. Many processes and checkouts may
share a store: entries are renamed into place, and a read that loses an entry meanwhile is a miss.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.cache import digests
from buildlib.files import atomic, records
from buildlib.model import Written

# The maximal size of a store in bytes, unless LAMBDA_ZIP_STORE_LIMIT sets another.
LIMIT = 2 << 30


_ENTRY = records.fields(written=records.WRITTEN)


class Store(NamedTuple):
    """A folder of entries, its maximal size in bytes, and whether other checkouts share it.

    The ZIPs of a private store are hard links to the ZIPs in dist/. A shared store gets copies, so
    a process that changes a ZIP in place changes it in no other checkout.
    """

    folder: Path
    limit: int
    shared: bool

    def find(self, key: str) -> Written | None:
        """Return the size and sha256 of the ZIP for a key, without reading it; None for a miss."""
        entry = records.read(self._entry(key), _ENTRY)
        if entry is None:
            return None
        written = Written(*entry["written"])
        try:
            is_complete = self._zip(key).stat().st_size == written.size
        except OSError:
            return None
        return written if is_complete else None

    def take(self, key: str, target: Path) -> Written | None:
        """Copy or link the ZIP for a key to `target` if it is intact, and mark it as used."""
        written = self.find(key)
        if written is None:
            return None
        try:
            self._copy(self._zip(key), target)
            if digests.sha256(target) != written.sha256:
                atomic.remove(target)
                self.discard(key)
                return None
            os.utime(self._entry(key))
        except FileNotFoundError:  # evicted by another process meanwhile
            return written if target.exists() else None
        return written

    def put(self, key: str, path: Path, written: Written) -> None:
        """Add a ZIP; ignore errors, such as a full disk, as the store only saves time."""
        with contextlib.suppress(OSError):
            with atomic.replacing(self._zip(key)) as temporary:
                self._copy(path, temporary)
            records.write(self._entry(key), {"written": written})

    def discard(self, key: str) -> None:
        """Remove the entry of a key."""
        atomic.remove(self._entry(key))
        atomic.remove(self._zip(key))

    def problem(self) -> str | None:
        """Return why nothing can be added to a shared store; None if it can."""
        if not self.shared:
            return None
        folder = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return None
        return f"{self.folder} is not writable, so no ZIP is added to the store"

    def evict(self) -> None:
        """Remove the least recently used entries until the store is within its limit."""
        entries = sorted(self._entries())
        size = sum(entry[1] for entry in entries)
        for _, length, key in entries:
            if size <= self.limit:
                break
            self.discard(key)
            size -= length

    def is_full(self) -> bool:
        """Tell whether the store exceeds its limit."""
        return sum(size for _, size, _ in self._entries()) > self.limit

    def _entries(self) -> Iterator[tuple[int, int, str]]:
        """Yield the last use (ns), the size and the key of each entry."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".zip") and not entry.name.startswith("."):
                    key = entry.name.removesuffix(".zip")
                    with contextlib.suppress(FileNotFoundError):
                        used = os.stat(f"{self.folder}{os.sep}{key}.json").st_mtime_ns
                        yield used, entry.stat().st_size, key

    def _zip(self, key: str) -> Path:
        return self.folder / f"{key}.zip"

    def _entry(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _copy(self, source: Path, target: Path) -> None:
        atomic.remove(target)
        if not self.shared:
            try:
                os.link(source, target)
            except FileNotFoundError:
                raise
            except OSError:  # a file system without links
                pass
            else:
                return
        shutil.copyfile(source, target)
