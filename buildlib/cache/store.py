"""The store: finished ZIPs by their keys.

The same key gives the same bytes, so a return to earlier inputs is a cache hit, and so is a build
in a clean checkout. An entry is a ZIP and a file with its sha256. The ZIP is hashed when it is
taken, and a corrupt entry is dropped. Many processes and checkouts may share a store: entries are
renamed into place, and a read that loses an entry meanwhile is a miss.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.cache import digests
from buildlib.files import atomic, records
from buildlib.model import Written

_ENTRY = records.fields(written=records.WRITTEN)


class Store(NamedTuple):
    """A folder of entries, and whether other checkouts share it.

    The ZIPs are hard links to the ZIPs in dist/ from which they were added, where the system has
    links. From a shared store each checkout takes a copy, so a process that changes a ZIP in place
    changes it in no other checkout.
    """

    folder: Path
    shared: bool

    def find(self, key: str) -> Written | None:
        """Return the size and sha256 of the ZIP for a key, without reading it; None for a miss."""
        entry = records.read(self._entry(key), _ENTRY)
        if entry is None:
            return None
        written = Written(*entry["written"])
        try:
            is_complete = self.path(key).stat().st_size == written.size
        except OSError:
            return None
        return written if is_complete else None

    def take(self, key: str, target: Path) -> Written | None:
        """Copy or link the ZIP for a key to `target` if it is intact, and mark it as used."""
        written = self.find(key)
        if written is None:
            return None
        try:
            _copy(self.path(key), target, link=not self.shared)
            if digests.sha256(target) != written.sha256:
                atomic.remove(target)
                self.discard(key)
                return None
            with contextlib.suppress(PermissionError):  # it is another user's
                os.utime(self._entry(key))
        except FileNotFoundError:  # evicted by another process meanwhile
            return written if target.exists() else None
        return written

    def put(self, key: str, path: Path, written: Written) -> None:
        """Add a ZIP; ignore errors, such as a full disk, as the store only saves time."""
        # A shared folder may have processes of several hosts, with equal ids.
        temporary = self.folder / f".{key}.{uuid.uuid4().hex}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _copy(path, temporary, link=True)
            temporary.replace(self.path(key))
            records.write(self._entry(key), {"written": written})
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def discard(self, key: str) -> None:
        """Remove the entry of a key."""
        atomic.remove(self._entry(key))
        atomic.remove(self.path(key))

    def entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield the last use (seconds since the epoch), the size and the ZIP of each entry."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".zip") and not entry.name.startswith("."):
                    path = Path(entry.path)
                    with contextlib.suppress(FileNotFoundError):
                        used = path.with_suffix(".json").stat().st_mtime
                        yield used, entry.stat().st_size, path

    def path(self, key: str) -> Path:
        """Return the path of the ZIP for a key, whether it is there or not."""
        return self.folder / f"{key}.zip"

    def _entry(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _copy(source: Path, target: Path, *, link: bool) -> None:
    atomic.remove(target)
    if link:
        try:
            os.link(source, target)
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError:  # a file system without links, or another one
            pass
        else:
            return
    shutil.copyfile(source, target)
