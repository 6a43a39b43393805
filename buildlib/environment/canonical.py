"""Make an installed tree canonical: remove the installer's leftovers and rewrite RECORD.

The rules are those of the byte contract (docs/explanation/byte-contract.md): the same lock gives
the same tree, whichever installer wrote it.
"""

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from buildlib.cache import digests
from buildlib.environment import damage, namespaces
from buildlib.environment.record import (
    RECORDED,
    SCRIPTS,
    SHA256,
    Row,
    label,
    read_records,
    write_record,
)
from buildlib.files import atomic, walk
from buildlib.model import File, Pin


class Installed(NamedTuple):
    """The files of an installed tree, sorted, and how it differs from its RECORDs and its pins.

    `damaged` has the paths that differ from RECORD, and `incomplete` what differs from the pins, in
    words, each with the name of a distribution (see `damage`). `overlaps` names by path the
    distributions that install different contents there; the order of installation decided which
    one is in the tree. `sourceless` are modules that were removed, because they are bytecode
    without a source.
    """

    files: list[File]
    damaged: dict[str, str]
    overlaps: dict[str, list[str]]
    incomplete: dict[str, str]
    sourceless: tuple[str, ...] = ()


# Returns the content that one distribution, by its `.dist-info` folder, has for a path.
ContentOf = Callable[[str, str], bytes | None]


def canonicalise(
    tree: Path,
    *,
    pins: Sequence[Pin] | None = None,
    trust_record: bool = False,
    only_listed: bool = False,
    content_of: ContentOf = lambda *_: None,
) -> Installed:
    """Make the contents of a freshly installed tree canonical.

    Files may be hard links into the installer's cache: remove or replace them, but never write to
    them or change their metadata.

    With `trust_record`, take the digest of a hard link from RECORD if its size is right, without
    reading the file: the step that compresses it for a ZIP reads it and compares. That step reads
    only one of several files with equal digests, so those are read here.

    The tree has to hold the distributions of `pins`, if given, and with `only_listed` no file that
    no RECORD names. `content_of` is asked for the `__init__.py` of namespace packages that
    distributions share.
    """
    found = read_records(tree)
    owners, records, overlaps = found
    for name in (*SCRIPTS, ".lock"):
        atomic.remove(tree / name)
    for folder in owners:
        for name in damage.INSTALLER_FILES:
            (tree / folder / name).unlink(missing_ok=True)
    junk: list[str] = []  # some wheels ship bytecode of their own
    settled = {path for path in overlaps if _settle(tree, path, overlaps[path], content_of)}
    entries = dict(walk.walk(tree, where=tree.name, junk=junk.append))
    for path in junk:
        atomic.remove(Path(path))
    trusted = {path: row for path, row in records.items() if path not in overlaps}
    files = dict(_files_from_record(entries, trusted)) if trust_record else {}
    hashed = {file.path: file for file in _hashed(tree, [p for p in entries if p not in files])}
    incomplete = damage.of_pins(found, pins) if pins is not None else {}
    damaged = damage.of_files(found, entries, hashed, only_listed=only_listed)
    files |= hashed
    for folder, owned_paths in owners.items():
        name = f"{folder}/RECORD"
        content = write_record(name, [files[path] for path in owned_paths if path in files])
        (tree / name).unlink()
        (tree / name).write_bytes(content)
        files[name] = File(name, hashlib.sha256(content).hexdigest(), len(content))
    unsettled = {
        path: [label(folder) for folder in folders]
        for path, folders in overlaps.items()
        if path in files and path not in settled
    }
    unsettled |= _lost(files, records)
    every = [files[path] for path in sorted(files)]
    return Installed(every, damaged, unsettled, incomplete, tuple(_sourceless(tree, junk, records)))


def _sourceless(tree: Path, junk: Sequence[str], listed: Collection[str]) -> Iterator[str]:
    """Yield the removed bytecode of a wheel that Python would import: its source is not there."""
    for removed in sorted(junk):
        path = os.path.relpath(removed, tree).replace(os.sep, "/")
        if path.endswith(".pyc") and path in listed and path.removesuffix("c") not in listed:
            yield path


def _lost(files: Mapping[str, File], records: Mapping[str, Row]) -> dict[str, list[str]]:
    """Return the paths of which a file system that ignores case has only one of two files."""
    lost = [path for path in records if path not in files]
    if not lost:
        return {}
    folded = {path.casefold(): path for path in files}
    pairs = [(path, folded[path.casefold()]) for path in lost if path.casefold() in folded]
    return {path: list(pair) for pair in pairs for path in pair}


def _settle(tree: Path, path: str, folders: Sequence[str], content_of: ContentOf) -> bool:
    """Install an `__init__.py` that declares a namespace; tell whether it is one."""
    if path.rpartition("/")[2] != "__init__.py":
        return False
    contents = [content_of(folder, path) for folder in folders]
    present = [content for content in contents if content is not None]
    chosen = namespaces.choose(present) if len(present) == len(contents) else None
    if chosen is None:
        return False
    (tree / path).unlink(missing_ok=True)  # it may be a link into the installer's cache
    (tree / path).write_bytes(present[chosen])
    return True


def _files_from_record(
    entries: Mapping[str, os.DirEntry[str]], records: Mapping[str, Row]
) -> Iterator[tuple[str, File]]:
    """Yield the files whose digest may be taken from RECORD.

    These are hard links of the recorded size, with a digest that no other row has.
    """
    uses = Counter(sha256 for sha256, _ in records.values())
    for path, (sha256, size) in records.items():
        if path not in entries or uses[sha256] > 1 or not RECORDED.fullmatch(sha256):
            continue
        status = entries[path].stat()
        # A file that cannot be linked is copied into each staged tree instead. Its damage must be
        # noticed here, where it can still be reinstalled.
        if status.st_nlink > 1 and size == str(status.st_size):
            digest = base64.urlsafe_b64decode(sha256.removeprefix(SHA256) + "=")
            yield path, File(path, digest.hex(), status.st_size)


def _hashed(tree: Path, paths: list[str]) -> Iterator[File]:
    """Hash the files at `paths` on all processors, and yield them."""
    top, threads = f"{tree}{os.sep}", os.cpu_count() or 1

    def every_nth(start: int) -> list[File]:
        return [File(path, *digests.measured(top + path)) for path in paths[start :: 4 * threads]]

    with ThreadPoolExecutor(threads) as pool:
        for files in pool.map(every_nth, range(4 * threads)):
            yield from files
