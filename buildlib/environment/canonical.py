"""Make trees canonical: what an installer left behind goes, one mtime and one mode for all.

The rules are those of the byte contract (docs/explanation/byte-contract.md): the same lock gives
the same tree, whichever installer put it there.
"""

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from buildlib.cache import digests
from buildlib.environment.record import (
    RECORDED,
    SCRIPTS,
    SHA256,
    Row,
    read_records,
    row_of,
    write_record,
)
from buildlib.files import atomic, names, walk
from buildlib.model import File

# PEP 376 and PEP 610 records of how something was installed, and those of uv.
_INSTALLER_FILES = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")


class Installed(NamedTuple):
    """The files of an installed tree, sorted, and those that are not what their wheel says."""

    files: list[File]
    damaged: list[str]


def canonicalise(tree: Path, *, believed: bool = False) -> Installed:
    """Make the contents of a freshly installed tree canonical.

    The files may be links into the installer's cache: they are removed or replaced, never written
    to, nor is their metadata changed. With `believed`, what RECORD says of a link is not checked
    here, as long as its size is right: whoever puts it into a ZIP reads it, and checks. Of files
    that are said to be equal only one is read there, so they are checked here.

    Raises:
        InstallError: two distributions wrote different files of one name, so that the result
            would depend on which came last.

    """
    owners, records = read_records(tree)
    for name in (*SCRIPTS, ".lock"):
        atomic.remove(tree / name)
    for folder in owners:
        for name in _INSTALLER_FILES:
            (tree / folder / name).unlink(missing_ok=True)
    junk: list[str] = []  # some wheels ship their own
    found = dict(walk.walk(tree, where=tree.name, junk=junk.append))
    for path in junk:
        atomic.remove(Path(path))
    names.check_names(found, "the installed dependencies")
    listing = dict(_files_from_record(found, records)) if believed else {}
    read = {file.path: file for file in _hashed(tree, [p for p in found if p not in listing])}
    damaged = [
        path
        for path, file in read.items()
        if path in records
        and records[path].sha256.startswith(SHA256)
        and records[path].sha256 != row_of(file)[0]
    ]
    listing |= read
    for folder, files_of in owners.items():
        name = f"{folder}/RECORD"
        content = write_record(name, [listing[path] for path in files_of if path in listing])
        (tree / name).unlink()
        (tree / name).write_bytes(content)
        listing[name] = File(name, hashlib.sha256(content).hexdigest(), len(content))
    return Installed([listing[path] for path in sorted(listing)], sorted(damaged))


def _files_from_record(
    found: Mapping[str, os.DirEntry[str]], records: Mapping[str, Row]
) -> Iterator[tuple[str, File]]:
    """Yield the files that RECORD describes, if they are links of the right size, no two equal."""
    times = Counter(sha256 for sha256, _ in records.values())
    for path, (sha256, size) in records.items():
        if path not in found or times[sha256] > 1 or not RECORDED.fullmatch(sha256):
            continue
        status = found[path].stat()
        # What cannot be linked is copied into each staged tree, and only here installed anew.
        if status.st_nlink > 1 and size == str(status.st_size):
            value = base64.urlsafe_b64decode(sha256.removeprefix(SHA256) + "=")
            yield path, File(path, value.hex(), status.st_size)


def _hashed(tree: Path, paths: list[str]) -> Iterator[File]:
    """Yield the files at `paths` with their digests, found out on all processors."""
    top, threads = f"{tree}{os.sep}", os.cpu_count() or 1

    def some(start: int) -> list[File]:
        return [File(path, *digests.measured(top + path)) for path in paths[start :: 4 * threads]]

    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(some, range(4 * threads)):
            yield from found
