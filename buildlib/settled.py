"""Variants that were seen to be finished, recognised by the status of their files alone.

When every step of a variant was found done by content, the status of all its inputs and outputs is
kept as one fingerprint. As long as it is the same, nothing has to be read to know that nothing
changed: the same trust, on the same terms, as in a remembered digest (see `digest`).
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from buildlib import digest, files
from buildlib.archive import Written
from buildlib.model import Variant

_FORMAT = 1


class Settled:
    """The finished variants of a repository, kept in one file between runs."""

    def __init__(self, root: Path, record: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._record = record
        self._changed = False
        value = files.read_json(record)
        known = value.get("variants") if isinstance(value, dict) else None
        valid = isinstance(known, dict) and value.get("format") == _FORMAT
        self._known: dict[str, list[object]] = known if valid and known else {}

    def find(self, variant: Variant, constants: str, outputs: Iterable[str]) -> Written | None:
        """Return what the ZIP of a variant is, if all is as it was when it was finished.

        `constants` is all that decides beside files; `outputs` are the files that were made, by
        their paths below the root.
        """
        try:
            fingerprint, written, requirements = self._known[variant.id]
            found, _ = self._fingerprint(variant, constants, outputs, requirements)  # type: ignore[arg-type]
            return Written(*written) if found == fingerprint else None  # type: ignore[misc]
        except (KeyError, ValueError, TypeError, OSError):
            return None

    def note(
        self,
        variant: Variant,
        constants: str,
        outputs: Iterable[str],
        requirements: Iterable[str],
        written: Written,
    ) -> None:
        """Note that a variant is finished, unless one of its files is too young to be trusted."""
        names = sorted(requirements)
        try:
            fingerprint, newest = self._fingerprint(variant, constants, outputs, names)
        except OSError:
            return
        if digest.CTIME_IS_CHANGE and newest < time.time_ns() - digest.GRAIN_NS:
            self._known[variant.id] = [fingerprint, written, names]
            self._changed = True

    def save(self) -> None:
        """Write the record if there is something new; one that cannot be written is lost."""
        if self._changed:
            try:
                files.write_json(self._record, {"format": _FORMAT, "variants": self._known})
            except OSError:
                return
            self._changed = False

    def _fingerprint(
        self,
        variant: Variant,
        constants: str,
        outputs: Iterable[str],
        requirements: Iterable[str],
    ) -> tuple[str, int]:
        """Return the status of all files in one, and the time (ns) of the latest change."""
        function = variant.function
        paths = [*requirements, *([function.lock] if function.lock else []), *outputs]
        seen = [(path, digest.signature(os.stat(self._root + path))) for path in paths]
        for path in (function.source, *function.include):
            seen += _tree(self._root, path)
        seen.sort()
        newest = max(max(status[1], status[2]) for _, status in seen)
        decided = repr((variant, constants, seen))
        return hashlib.sha256(decided.encode(errors="surrogateescape")).hexdigest(), newest


def _tree(root: str, top: str) -> Iterator[tuple[str, digest.Signature]]:
    """Yield every file of a source that could be part of a function, with its status."""
    if not os.path.isdir(root + top):
        yield top, digest.signature(os.stat(root + top))
        return
    stack = [top]
    while stack:
        folder = stack.pop()
        with os.scandir(root + folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}"
                # What a link points to is in the tree as well, and is seen there.
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in files.JUNK_FOLDERS:
                        stack.append(name)
                elif not files.is_junk(entry.name):
                    yield name, digest.signature(entry.stat(follow_symlinks=False))
