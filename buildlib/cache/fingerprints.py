"""Finished variants, recognised by the status of their files without reading any content.

When all steps of a variant are up to date by content, the status of its inputs and outputs is kept
as one fingerprint. While the fingerprint stays the same, the variant is unchanged. A fingerprint
trusts the status of a file on the same terms as a remembered digest does (see `digests`).
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from buildlib.cache import digests
from buildlib.cache.clock import Clock
from buildlib.files import links, records, walk
from buildlib.files.names import is_below, is_inside
from buildlib.layout import OUTPUTS
from buildlib.model import Variant, Written

_FORMAT = 2


def _is_source(path: object) -> bool:
    return path == "." or is_below(path)


_SHAPE = records.fields(format=records.number, variants=records.mapping)


# The fingerprint of a variant, its ZIP, the paths of its requirements files, and those of its
# sources.
_ENTRY = records.row(
    records.sha256,
    records.WRITTEN,
    records.list_of(is_below),
    records.list_of(_is_source),
)


class Fingerprints:
    """The finished variants of a repository, kept in one file between runs."""

    def __init__(self, root: Path, file: Path, clock: Clock | None = None) -> None:
        self._clock = clock or Clock(root, file.parent)
        self._root = f"{root}{os.sep}"
        self._file = file
        self._changed = False
        value = records.read(file, _SHAPE)
        valid = value is not None and value["format"] == _FORMAT
        self._known: dict[str, Any] = value["variants"] if valid else {}

    def find(self, variant: Variant, constants: str, outputs: Iterable[str]) -> Written | None:
        """Return the ZIP of a variant if no status changed since the variant was finished.

        `constants` are the inputs that are not files; `outputs` are the written files, by their
        paths below the root.
        """
        self._clock.begin()
        entry = self._known.get(variant.id)
        if entry is None or not _ENTRY(entry):
            return None
        fingerprint, written, *inputs = entry
        try:
            current, _ = self._fingerprint(variant, constants, outputs, inputs, written)
        except OSError:
            return None
        return Written(*written) if current == fingerprint else None

    def note(
        self,
        variant: Variant,
        constants: str,
        outputs: Iterable[str],
        inputs: tuple[Iterable[str], Iterable[str]],
        written: Written,
    ) -> None:
        """Note that a variant is finished, unless a file was changed since shortly before the run.

        `inputs` are the paths of its requirements files, and those of its sources.

        A run reads its inputs once, so it may have missed a change since its start.
        """
        names = [sorted(some) for some in inputs]
        try:
            fingerprint, seen = self._fingerprint(variant, constants, outputs, names, written)
        except OSError:
            return
        if self._clock.is_old(seen.newest, seen.devices):
            self._known[variant.id] = [fingerprint, [*written], *names]
            self._changed = True

    def save(self) -> None:
        """Write the fingerprints if any changed; ignore errors, as they only save time."""
        if self._changed:
            try:
                records.write(self._file, {"format": _FORMAT, "variants": self._known})
            except OSError:
                return
            self._changed = False

    def _fingerprint(
        self,
        variant: Variant,
        constants: str,
        outputs: Iterable[str],
        inputs: Iterable[Iterable[str]],
        written: Iterable[object],
    ) -> tuple[str, "_Seen"]:
        """Return the fingerprint of a variant, with the latest time and the devices of its files.

        The fingerprint covers the status of each file, the constants and the facts of the ZIP. A
        folder counts for the time only: it shows that a file was removed or moved.
        """
        function, seen = variant.function, _Seen()
        requirements, sources = inputs
        paths = [*requirements, *([function.lockfile] if function.lockfile else [])]
        input_files = [(path, seen.signature(os.stat(self._root + path))) for path in paths]
        for path in sources:
            input_files += _tree(self._root, path, seen)
        output_files = [(path, seen.signature(os.stat(self._root + path))) for path in outputs]
        content = repr((variant, constants, sorted(input_files), output_files, [*written]))
        fingerprint = hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()
        return fingerprint, seen


class _Seen:
    """The latest time (ns) and the devices of the files that were looked at."""

    def __init__(self) -> None:
        self.newest = 0
        self.devices: set[int] = set()

    def signature(self, status: os.stat_result) -> digests.Signature:
        """Return the signature of a file."""
        self.devices.add(status.st_dev)
        found = digests.signature(status)
        self.newest = max(self.newest, found[1], found[2])
        return found


def _tree(root: str, top: str, seen: _Seen) -> Iterator[tuple[str, digests.Signature]]:
    """Yield every file of a source that could be part of a function, with its status.

    A link that leads to content of the repository counts as what it leads to, and as itself.
    """
    if not os.path.isdir(root + top):
        yield top, seen.signature(os.stat(root + top))
        return
    entered: set[str] = set()  # the real paths of folders behind links
    is_root = top == "."
    stack = ["" if is_root else top]
    while stack:
        folder = stack.pop()
        seen.signature(os.stat(root + folder))
        with os.scandir(root + folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name in walk.JUNK_FOLDERS or (is_root and name in OUTPUTS):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    stack.append(name)
                elif not walk.is_junk(entry.name):
                    yield name, seen.signature(entry.stat(follow_symlinks=False))
                    if entry.is_symlink() and (real := _content(root, entry.path)):
                        yield f"{name} ->", seen.signature(os.stat(real))
                        if os.path.isdir(real) and real not in entered:
                            entered.add(real)
                            stack.append(name)


def _content(root: str, link: str) -> str | None:
    """Return the real path of a link's target; None if the link is not followed.

    It is excluded then, or is an error, which leaves nothing finished.
    """
    real = os.path.realpath(link)
    is_circle = is_inside(os.path.realpath(os.path.dirname(link)), real)
    return real if links.leads_to_content(real, os.path.realpath(root)) and not is_circle else None
