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

from buildlib.cache import digests
from buildlib.files import atomic, walk
from buildlib.model import Variant, Written

_FORMAT = 1


class Fingerprints:
    """The finished variants of a repository, kept in one file between runs."""

    def __init__(self, root: Path, record: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._record = record
        self._changed = False
        self._began = time.time_ns()
        value = atomic.read_json(record)
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
            found, *_ = self._fingerprint(variant, constants, outputs, requirements, written)  # type: ignore[arg-type]
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
        """Note that a variant is finished, unless one of its files is too young to be trusted.

        A run looks at inputs once: of those that changed since it began it has not seen the change.
        """
        names = sorted(requirements)
        try:
            fingerprint, newest, made = self._fingerprint(
                variant, constants, outputs, names, written
            )
        except OSError:
            return
        is_old = (
            newest < self._began - digests.GRAIN_NS and made < time.time_ns() - digests.GRAIN_NS
        )
        if digests.CTIME_IS_CHANGE and is_old:
            self._known[variant.id] = [fingerprint, written, names]
            self._changed = True

    def save(self) -> None:
        """Write the record if there is something new; one that cannot be written is lost."""
        if self._changed:
            try:
                atomic.write_json(self._record, {"format": _FORMAT, "variants": self._known})
            except OSError:
                return
            self._changed = False

    def _fingerprint(
        self,
        variant: Variant,
        constants: str,
        outputs: Iterable[str],
        requirements: Iterable[str],
        written: Iterable[object],
    ) -> tuple[str, int, int]:
        """Return a digest of all, and when (ns) an input and an output changed last.

        All is the status of each file, what decides beside them, and what is said of the ZIP.
        Folders count for the time only: what was removed or moved here is seen by them.
        """
        function = variant.function
        paths = [*requirements, *([function.lock] if function.lock else [])]
        seen = [(path, digests.signature(os.stat(self._root + path))) for path in paths]
        folders: list[digests.Signature] = []
        for path in (function.source, *function.include):
            seen += _tree(self._root, path, folders)
        made = [(path, digests.signature(os.stat(self._root + path))) for path in outputs]
        newest = _newest([*folders, *(status for _, status in seen)])
        decided = repr((variant, constants, sorted(seen), made, [*written]))
        fingerprint = hashlib.sha256(decided.encode(errors="surrogateescape")).hexdigest()
        return fingerprint, newest, _newest(status for _, status in made)


def _newest(found: Iterable[digests.Signature]) -> int:
    return max(max(mtime, ctime) for _, mtime, ctime, _ in found)


def _tree(
    root: str, top: str, folders: list[digests.Signature]
) -> Iterator[tuple[str, digests.Signature]]:
    """Yield every file of a source that could be part of a function, with its status.

    `folders` gets the status of each folder.

    Raises:
        OSError: a link leads to what is passed over here.

    """
    if not os.path.isdir(root + top):
        yield top, digests.signature(os.stat(root + top))
        return
    stack = [top]
    while stack:
        folder = stack.pop()
        folders.append(digests.signature(os.stat(root + folder)))
        with os.scandir(root + folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in walk.JUNK_FOLDERS:
                        stack.append(name)
                elif not walk.is_junk(entry.name):
                    # What a link points to is in the tree as well, and is seen there.
                    if entry.is_symlink() and _is_passed_over(os.path.realpath(entry.path)):
                        msg = f"{name}: its status does not tell of changes"
                        raise OSError(msg)
                    yield name, digests.signature(entry.stat(follow_symlinks=False))


def _is_passed_over(path: str) -> bool:
    parts = path.split(os.sep)
    return walk.is_junk(parts[-1]) or not walk.JUNK_FOLDERS.isdisjoint(parts)
