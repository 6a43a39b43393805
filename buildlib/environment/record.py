"""Read and write RECORD (PEP 376, PEP 627), in one place."""

import base64
import csv
import hashlib
import io
import os
import posixpath
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from buildlib.errors import StagedFileError
from buildlib.files import walk
from buildlib.files.names import is_below
from buildlib.model import File
from buildlib.text import canonical_name

SHA256 = "sha256="


RECORDED = re.compile(r"sha256=[A-Za-z0-9_-]{43}")


# Folders of scripts: they start with the host's interpreter path, and Lambda runs none of them.
SCRIPTS = ("bin", "Scripts")


class Row(NamedTuple):
    """A file's row in RECORD: `sha256=` with the digest in base64, and the size in bytes."""

    sha256: str
    size: str


class Records(NamedTuple):
    """What the RECORDs of a tree say.

    `owners` are the paths in each RECORD by its `.dist-info` folder, `rows` the row of each path.
    `overlaps` are the paths that several distributions install with different contents, with the
    `.dist-info` folders of these, in the order of the distributions' names.
    """

    owners: dict[str, list[str]]
    rows: dict[str, Row]
    overlaps: dict[str, list[str]]


def read_records(tree: Path) -> Records:
    """Read the RECORDs of an installed tree.

    Remove C headers: each installer puts them elsewhere, and nothing is compiled in Lambda.
    """
    owners: dict[str, list[str]] = {}
    rows: dict[str, Row] = {}
    by_path: dict[str, list[str]] = {}
    overlaps: set[str] = set()
    for path in sorted(tree.glob("*.dist-info/RECORD"), key=lambda path: _order(path.parent.name)):
        folder = path.parent.name
        owners[folder] = []
        with path.open(encoding="utf-8", newline="") as stream:
            for row in filter(None, csv.reader(stream)):
                name, value = _installed_path(row[0]), Row(*(*row, "", "")[1:3])
                if is_below(name) and _is_header(name, folder):
                    (tree / name).unlink(missing_ok=True)
                    continue
                if not is_below(name):  # such as /etc/x, which no installer writes
                    continue
                owners[folder].append(name)
                by_path.setdefault(name, []).append(folder)
                earlier = rows.setdefault(name, value)
                shipped = name.partition("/")[0] not in SCRIPTS
                if value.sha256 != earlier.sha256 and shipped and not walk.is_junk(name):
                    overlaps.add(name)
    return Records(owners, rows, {name: by_path[name] for name in sorted(overlaps)})


def _order(folder: str) -> tuple[str, str]:
    return distribution(folder), folder


def distribution(folder: str) -> str:
    """Return the normalised name (PEP 503) of the distribution with a `.dist-info` folder."""
    return canonical_name(folder.partition("-")[0])


def files_of(tree: Path, names: Container[str]) -> set[str]:
    """Return the files of the distributions `names` (normalised, PEP 503) in a canonical tree."""
    files: set[str] = set()
    for path in tree.glob("*.dist-info/RECORD"):
        if distribution(path.parent.name) in names:
            with path.open(encoding="utf-8", newline="") as stream:
                files.update(row[0] for row in csv.reader(stream) if row)
    return files


def by_path(tree: Path, files: Iterable[File]) -> dict[str, tuple[str, str]]:
    """Return the name (PEP 503) of each file's distribution, and the sha256 of its RECORD.

    `files` are those of a canonical tree; files that no RECORD lists are not in the answer.

    Raises:
        StagedFileError: a RECORD changed since the tree was installed.

    """
    found: dict[str, tuple[str, str]] = {}
    for file in files:
        if not file.path.endswith(".dist-info/RECORD") or file.path.count("/") > 1:
            continue
        path = tree / file.path
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != file.sha256:
            msg = f"{path}: changed since it was installed; run the build again to reinstall it"
            raise StagedFileError(msg)
        owner = distribution(path.parent.name), file.sha256
        rows = csv.reader(io.StringIO(content.decode(), newline=""))
        found.update((row[0], owner) for row in rows if row)
    return found


def _installed_path(path: str) -> str:
    """Return the path, in the tree, of the file that a RECORD row names.

    pip installs into a temporary folder first, with the modules in `lib/python`, and then moves
    everything into the target without changing RECORD.
    """
    if "./" not in path and "//" not in path and "\\" not in path:
        return path  # nearly all rows
    name = os.path.normpath(path).replace(os.sep, "/")
    return posixpath.normpath(f"lib/python/{name}") if name.startswith("../") else name


def _is_header(path: str, folder: str) -> bool:
    """Tell whether a file is from a wheel's `headers` (PEP 491)."""
    if not path.startswith("include/"):
        return False
    if re.match(r"include/(site/)?python[0-9.]*/", path):  # pip's place, inside a venv or not
        return True
    # uv's place: include/<name>/
    header_folder, distribution = path.split("/")[1], folder.partition("-")[0]
    return canonical_name(header_folder) == canonical_name(distribution)


def label(folder: str) -> str:
    """Return the name and version of the distribution with a `.dist-info` folder."""
    return folder.removesuffix(".dist-info").replace("-", " ")


def write_record(name: str, owned: Iterable[File]) -> bytes:
    """Return a RECORD (PEP 376, PEP 627) of the files `owned`, sorted; `name` is its own path."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    rows = {file.path: row_of(file) for file in owned}
    rows[name] = ("", "")
    for path in sorted(rows):
        writer.writerow((path, *rows[path]))
    return output.getvalue().encode()


def shortened_record(
    content: bytes, kept: Container[str], replaced: Mapping[str, File] | None = None
) -> bytes:
    """Return a RECORD with only the rows of `kept` files, and of files in the place of others."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    for row in csv.reader(io.StringIO(content.decode(), newline="")):
        if replaced and (file := replaced.get(row[0])):
            writer.writerow((file.path, *row_of(file)))
        elif row[0] in kept:
            writer.writerow(row)
    return output.getvalue().encode()


def changed_record(content: bytes, changed: Mapping[str, File]) -> bytes:
    """Return a RECORD with the digests of changed files."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    for row in csv.reader(io.StringIO(content.decode(), newline="")):
        file = changed.get(row[0]) if row else None
        writer.writerow((file.path, *row_of(file)) if file else row)
    return output.getvalue().encode()


def row_of(file: File) -> tuple[str, str]:
    """Return the digest and the size of a file in RECORD's format."""
    return f"{SHA256}{_base64(file.sha256)}", str(file.size)


def _base64(hexadecimal: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).rstrip(b"=").decode()
