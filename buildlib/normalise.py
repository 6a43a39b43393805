"""Make trees canonical: what an installer left behind goes, one mtime and one mode for all.

The rules are those of the byte contract (docs/explanation/byte-contract.md): the same lock gives
the same tree, whichever installer put it there.
"""

import base64
import csv
import hashlib
import io
import os
import posixpath
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from buildlib import digest, files
from buildlib.errors import InstallError
from buildlib.model import File

# 2012-12-12 12:12:00 UTC, the one mtime.
MTIME = 1_355_314_320
# The one mode: readable by any user, and executable where it must be.
MODE = 0o755

# PEP 376 and PEP 610 records of how something was installed, and those of uv.
_INSTALLER_FILES = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
_SHA256 = "sha256="
_RECORDED = re.compile(r"sha256=[A-Za-z0-9_-]{43}")
# Scripts start with the host's interpreter; Lambda runs none of them.
_SCRIPTS = ("bin", "Scripts")


class Installed(NamedTuple):
    """The files of an installed tree, sorted, and those that are not what their wheel says."""

    files: list[File]
    damaged: list[str]


def environment(tree: Path, *, believed: bool = False) -> Installed:
    """Make the contents of a freshly installed tree canonical.

    The files may be links into the installer's cache: they are removed or replaced, never written
    to, nor is their metadata changed. With `believed`, what RECORD says of a link is not checked
    here, as long as its size is right: whoever puts it into a ZIP reads it, and checks. Of files
    that are said to be equal only one is read there, so they are checked here.

    Raises:
        InstallError: two distributions wrote different files of one name, so that the result
            would depend on which came last.

    """
    owners, records = _owners(tree)
    for name in (*_SCRIPTS, ".lock"):
        files.remove(tree / name)
    for folder in owners:
        for name in _INSTALLER_FILES:
            (tree / folder / name).unlink(missing_ok=True)
    junk: list[str] = []  # some wheels ship their own
    found = dict(files.walk(tree, where=tree.name, junk=junk.append))
    for path in junk:
        files.remove(Path(path))
    files.check_names(found, "the installed dependencies")
    listing = dict(_said(found, records)) if believed else {}
    read = {file.path: file for file in _hashed(tree, [p for p in found if p not in listing])}
    damaged = [
        path
        for path, file in read.items()
        if path in records
        and records[path].sha256.startswith(_SHA256)
        and records[path].sha256 != _row(file)[0]
    ]
    listing |= read
    for folder, owned in owners.items():
        name = f"{folder}/RECORD"
        content = record(name, [listing[path] for path in owned if path in listing])
        (tree / name).unlink()
        (tree / name).write_bytes(content)
        listing[name] = File(name, hashlib.sha256(content).hexdigest(), len(content))
    return Installed([listing[path] for path in sorted(listing)], sorted(damaged))


class _Row(NamedTuple):
    """What a RECORD says of a file: `sha256=` and the digest in base64, and the size."""

    sha256: str
    size: str


def _said(
    found: Mapping[str, os.DirEntry[str]], records: Mapping[str, _Row]
) -> Iterator[tuple[str, File]]:
    """Yield the files that RECORD describes, if they are links of the right size, no two equal."""
    times = Counter(sha256 for sha256, _ in records.values())
    for path, (sha256, size) in records.items():
        if path not in found or times[sha256] > 1 or not _RECORDED.fullmatch(sha256):
            continue
        status = found[path].stat()
        # What cannot be linked is copied into each staged tree, and only here installed anew.
        if status.st_nlink > 1 and size == str(status.st_size):
            value = base64.urlsafe_b64decode(sha256.removeprefix(_SHA256) + "=")
            yield path, File(path, value.hex(), status.st_size)


def _hashed(tree: Path, paths: list[str]) -> Iterator[File]:
    """Yield the files at `paths` with their digests, found out on all processors."""
    top, threads = f"{tree}{os.sep}", os.cpu_count() or 1

    def some(start: int) -> list[File]:
        return [File(path, *digest.measured(top + path)) for path in paths[start :: 4 * threads]]

    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(some, range(4 * threads)):
            yield from found


def _owners(tree: Path) -> tuple[dict[str, list[str]], dict[str, _Row]]:
    """Return the paths in each RECORD by the name of its `.dist-info`, and the row of each path.

    C headers go: each installer has another place for them, and nothing is compiled in Lambda.
    """
    owners: dict[str, list[str]] = {}
    seen: dict[str, tuple[str, _Row]] = {}
    problems = []
    for path in sorted(tree.glob("*.dist-info/RECORD")):
        folder = path.parent.name
        owners[folder] = []
        with path.open(encoding="utf-8", newline="") as stream:
            for row in filter(None, csv.reader(stream)):
                name, value = _installed(row[0]), _Row(*(*row, "", "")[1:3])
                if _is_header(name, folder):
                    (tree / name).unlink(missing_ok=True)
                    continue
                owners[folder].append(name)
                other, earlier = seen.setdefault(name, (folder, value))
                shipped = name.partition("/")[0] not in _SCRIPTS
                if value.sha256 != earlier.sha256 and shipped and not files.is_junk(name):
                    problems.append(
                        f"{_label(other)} and {_label(folder)} both install '{name}', with "
                        "different contents; which one wins would be chance: replace one of them"
                    )
    if problems:
        raise InstallError("\n".join(problems), "distributions-overlap")
    return owners, {name: value for name, (_, value) in seen.items()}


def owned(tree: Path, names: Container[str]) -> set[str]:
    """Return the files of some distributions, given by their normal names, in a canonical tree."""
    found: set[str] = set()
    for path in tree.glob("*.dist-info/RECORD"):
        if re.sub(r"[-_.]+", "-", path.parent.name.partition("-")[0]).lower() in names:
            with path.open(encoding="utf-8", newline="") as stream:
                found.update(row[0] for row in csv.reader(stream) if row)
    return found


def _installed(path: str) -> str:
    """Return where the file of a row of RECORD is.

    pip installs elsewhere first, the modules into `lib/python` there, and moves it all into the
    target without a change of RECORD.
    """
    if "./" not in path and "//" not in path and "\\" not in path:
        return path  # as nearly all are
    name = os.path.normpath(path).replace(os.sep, "/")
    return posixpath.normpath(f"lib/python/{name}") if name.startswith("../") else name


def _is_header(path: str, folder: str) -> bool:
    """Tell whether a file is from a wheel's `headers` (PEP 491): include/<name>/ by uv."""
    if not path.startswith("include/"):
        return False
    if re.match(r"include/(site/)?python[0-9.]*/", path):  # by pip, inside a venv or not
        return True
    names = (path.split("/")[1], folder.partition("-")[0])
    plain, own = (re.sub(r"[-_.]+", "-", name).lower() for name in names)
    return plain == own


def _label(folder: str) -> str:
    return folder.removesuffix(".dist-info").replace("-", " ")


def record(name: str, owned: Iterable[File]) -> bytes:
    """Return a RECORD (PEP 376, PEP 627) of the files `owned`, sorted; `name` is its own path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = {file.path: _row(file) for file in owned}
    rows[name] = ("", "")
    for path in sorted(rows):
        writer.writerow((path, *rows[path]))
    return text.getvalue().encode()


def shortened_record(content: bytes, kept: Container[str]) -> bytes:
    """Return a RECORD without the files that are not `kept`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = csv.reader(io.StringIO(content.decode(), newline=""))
    writer.writerows(row for row in rows if row[0] in kept)
    return text.getvalue().encode()


def _row(file: File) -> tuple[str, str]:
    return f"{_SHA256}{_base64(file.sha256)}", str(file.size)


def _base64(hexadecimal: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).rstrip(b"=").decode()


def touch(tree: Path, paths: Iterable[str]) -> None:
    """Give the files the one mtime and mode, where they do not have them yet."""
    top = f"{tree}{os.sep}"
    for path in paths:
        name = top + path
        status = os.stat(name)
        if status.st_mode & 0o7777 != MODE:
            os.chmod(name, MODE)
        if status.st_mtime_ns != MTIME * 1_000_000_000:
            os.utime(name, (MTIME, MTIME))
