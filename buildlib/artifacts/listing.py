"""The index as one run changes it: written as a whole now and then, not once for each ZIP.

Before a ZIP is replaced, its entry leaves the file; the new entry may follow later, since a ZIP
without an entry is a consistent state, which the next run repairs. So a run of a thousand functions
writes the file some twenty times. Entries that wait are told from the file's by `entries`.

Another process may publish the same variants. An entry that waits is written only if its ZIP is
still the file that it describes.
"""

import itertools
import os
import time
from collections import ChainMap
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from buildlib.artifacts import index
from buildlib.artifacts.index import Entry
from buildlib.cache import digests
from buildlib.files import atomic, locks
from buildlib.layout import Layout
from buildlib.model import Variant, Written

# Writing takes at most this part of the time: the file is written when so many times the duration
# of the last write have passed.
_PART = 20


class _Waiting(NamedTuple):
    """An entry that is not in the file, and the identity of the ZIP that it describes."""

    entry: Entry
    zip: tuple[int, ...]


class Listing:
    """The index of a repository, in the hands of one process.

    Another process that gets a copy of this object writes at once: nothing would tell it of the end
    of the run.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._process = os.getpid()
        self._waiting: dict[str, _Waiting] = {}
        self._file: dict[str, Entry] = {}
        self._state: tuple[digests.Signature | None, ...] | None = None
        self._removals = 0
        self._due = 0.0

    def entries(self) -> Mapping[str, Entry]:
        """Return the index, with the entries that wait."""
        self._look()
        waiting = dict(self._waiting)  # a copy: other threads publish meanwhile
        return ChainMap({name: one.entry for name, one in waiting.items()}, self._file)

    def entry(self, variant_id: str) -> Entry | None:
        """Return the entry of a variant, or None."""
        self._look()
        waiting = self._waiting.get(variant_id)
        return waiting.entry if waiting else self._file.get(variant_id)

    def _look(self) -> None:
        """Read the file again if it changed."""
        state = self._signatures()
        if state != self._state:
            self._file, self._state = index.read(self._layout), state

    def publish(
        self,
        variant: Variant,
        written: Written,
        *,
        new: Path | None = None,
        evidence: Mapping[Path, bytes] = MappingProxyType({}),
        declared: Iterable[Variant] = (),
    ) -> None:
        """Replace the ZIP of a variant by the file `new`, and write its description.

        Without `new`, the ZIP stays, and only its description is written. `evidence` maps the paths
        of `layout.evidence` to contents; a file that is not among them is removed. Variants that
        are `declared` and not in the index yet are listed as missing.
        """
        layout = self._layout
        with locks.locked(layout.lock("dist")):
            self._look()
            new_entry = index.entry(layout, variant, written)
            self._withdraw(variant, new_entry, evidence)
            if new is not None:
                if layout.zip(variant.id).is_dir():
                    atomic.remove(layout.zip(variant.id))
                os.replace(new, layout.zip(variant.id))
            index.write_checksum(layout, variant, written)
            for path, content in evidence.items():
                if not index.has(path, content):
                    atomic.write(path, content, ours=True)
            status = _identity(layout.zip(variant.id))
            if self._file.get(variant.id) != new_entry and status is not None:
                self._waiting[variant.id] = _Waiting(new_entry, status)
            if self._process != os.getpid() or time.monotonic() >= self._due:
                self._write(declared)

    def _withdraw(self, variant: Variant, new_entry: Entry, evidence: Mapping[Path, bytes]) -> None:
        """Remove the descriptions of a variant that will not hold any more."""
        for path in self._layout.evidence(variant.id):
            if path not in evidence or not index.has(path, evidence[path]):
                atomic.remove(path)
        if self.entry(variant.id) != new_entry:
            self._waiting.pop(variant.id, None)
            if index.is_built(self._file.get(variant.id)):
                self._remove(variant)
            atomic.remove(self._layout.checksum(variant.id))
            atomic.remove(self._layout.attestation(variant.id))
            atomic.remove(self._layout.bundle(variant.id))

    def _remove(self, variant: Variant) -> None:
        """Take the entry of a variant out of the file, and with it some that may be next.

        Each time twice as many, so that a run that replaces all ZIPs writes the file a few times.
        The others wait: if they are not replaced, they come back.
        """
        known = self._file
        taken: dict[str, Entry] = {variant.id: index.missing(variant)}
        built = iter(name for name in known if name > variant.id and index.is_built(known[name]))
        for name in itertools.islice(built, (1 << self._removals) - 1):
            if (status := _identity(self._layout.zip(name))) is not None:
                self._waiting[name] = _Waiting(known[name], status)
                taken[name] = index.without_zip(known[name])
        self._removals += 1
        self._save(known | taken)

    def flush(self) -> None:
        """Write all entries that wait."""
        if self._waiting and self._process == os.getpid():
            with locks.locked(self._layout.lock("dist")):
                self._look()
                self._write(())

    def note_unbuilt(self, unbuilt: Iterable[Variant], declared: Iterable[Variant]) -> None:
        """Write all entries that wait, and mark those of variants that could not be built."""
        self.flush()
        index.note_unbuilt(self._layout, unbuilt, declared)

    def _write(self, declared: Iterable[Variant]) -> None:
        """Write the entries that wait, under the lock of dist/."""
        start = time.monotonic()
        new = {v.id: index.missing(v) for v in declared if v.id not in self._file}
        for name, one in self._waiting.items():
            # Another process may have replaced the ZIP; its entry is that process's.
            if _identity(self._layout.zip(name)) == one.zip:
                new[name] = one.entry
        self._waiting.clear()
        if any(self._file.get(name) != entry for name, entry in new.items()):
            self._save(self._file | new)
        end = time.monotonic()
        self._due = end + _PART * (end - start)

    def _save(self, entries: dict[str, Entry]) -> None:
        index.write(self._layout, entries)
        self._file, self._state = entries, self._signatures()

    def _signatures(self) -> tuple[digests.Signature | None, ...]:
        return digests.signature_of(self._layout.index), digests.signature_of(self._layout.layers)


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return the size, mtime (ns) and inode of a ZIP; a link to it in the cache changes none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
