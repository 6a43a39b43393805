"""Finished ZIPs by the key of what they were made from.

Whoever goes back to earlier inputs, or starts from a clean checkout with the store of another,
builds nothing: same key, same bytes. An entry is a ZIP and a record of its sha256, checked when it
is taken; one that does not fit is dropped. Many processes and checkouts may share a store: entries
come into place in one step, and an entry that vanishes meanwhile was never there.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.cache import digests
from buildlib.files import atomic
from buildlib.model import Written

# What a store may hold unless LAMBDA_ZIP_STORE_LIMIT says otherwise, in bytes.
LIMIT = 2 << 30


class Store(NamedTuple):
    """A folder of entries, the size in bytes that it may have, and whether others use it too.

    Entries of a store of one's own are the same files as the ZIPs in dist/; to a shared one they
    are copied, so that whoever changes a ZIP in place changes it for nobody else.
    """

    folder: Path
    limit: int
    shared: bool

    def find(self, key: str) -> Written | None:
        """Return what the ZIP for a key is, without reading it; None if there is none."""
        record = atomic.read_json(self._record(key))
        try:
            written = Written(*record["written"])
            whole = self._zip(key).stat().st_size == written.size
        except (OSError, KeyError, TypeError):
            return None
        return written if whole else None

    def take(self, key: str, target: Path) -> Written | None:
        """Put the ZIP for a key at `target`, if it is there and whole, and mark it as used."""
        written = self.find(key)
        if written is None:
            return None
        try:
            self._copy(self._zip(key), target)
            if digests.sha256(target) != written.sha256:
                atomic.remove(target)
                self.discard(key)
                return None
            os.utime(self._record(key))
        except FileNotFoundError:  # evicted by another process meanwhile
            return written if target.exists() else None
        return written

    def put(self, key: str, path: Path, written: Written) -> None:
        """Keep a ZIP. What cannot be kept, as on a full disk, is not: a store is only a help."""
        with contextlib.suppress(OSError):
            with atomic.replacing(self._zip(key)) as temporary:
                self._copy(path, temporary)
            atomic.write_json(self._record(key), {"written": written})

    def discard(self, key: str) -> None:
        """Remove the entry of a key."""
        atomic.remove(self._record(key))
        atomic.remove(self._zip(key))

    def evict(self) -> None:
        """Remove the entries that were not used for longest, until the limit is kept."""
        entries = sorted(self._entries())
        size = sum(entry[1] for entry in entries)
        for _, length, key in entries:
            if size <= self.limit:
                break
            self.discard(key)
            size -= length

    def is_full(self) -> bool:
        """Tell whether the limit is exceeded."""
        return sum(size for _, size, _ in self._entries()) > self.limit

    def _entries(self) -> Iterator[tuple[int, int, str]]:
        """Yield when each entry was last used (ns), its size and its key."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".zip") and not entry.name.startswith("."):
                    key = entry.name.removesuffix(".zip")
                    with contextlib.suppress(FileNotFoundError):
                        used = self._record(key).stat().st_mtime_ns
                        yield used, entry.stat().st_size, key

    def _zip(self, key: str) -> Path:
        return self.folder / f"{key}.zip"

    def _record(self, key: str) -> Path:
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
