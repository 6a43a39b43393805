"""Read and write RECORD (PEP 376, PEP 627), in one place."""

import base64
import csv
import io
import os
import posixpath
import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import NamedTuple

from buildlib.errors import InstallError
from buildlib.files import walk
from buildlib.model import File
from buildlib.text import canonical_name

SHA256 = "sha256="


RECORDED = re.compile(r"sha256=[A-Za-z0-9_-]{43}")


# Scripts start with the host's interpreter; Lambda runs none of them.
SCRIPTS = ("bin", "Scripts")


class Row(NamedTuple):
    """What a RECORD says of a file: `sha256=` and the digest in base64, and the size."""

    sha256: str
    size: str


def read_records(tree: Path) -> tuple[dict[str, list[str]], dict[str, Row]]:
    """Return the paths in each RECORD by the name of its `.dist-info`, and the row of each path.

    C headers go: each installer has another place for them, and nothing is compiled in Lambda.
    """
    owners: dict[str, list[str]] = {}
    seen: dict[str, tuple[str, Row]] = {}
    problems = []
    for path in sorted(tree.glob("*.dist-info/RECORD")):
        folder = path.parent.name
        owners[folder] = []
        with path.open(encoding="utf-8", newline="") as stream:
            for row in filter(None, csv.reader(stream)):
                name, value = _installed(row[0]), Row(*(*row, "", "")[1:3])
                if _is_header(name, folder):
                    (tree / name).unlink(missing_ok=True)
                    continue
                owners[folder].append(name)
                other, earlier = seen.setdefault(name, (folder, value))
                shipped = name.partition("/")[0] not in SCRIPTS
                if value.sha256 != earlier.sha256 and shipped and not walk.is_junk(name):
                    problems.append(
                        f"{_label(other)} and {_label(folder)} both install '{name}', with "
                        "different contents; which one wins would be chance: replace one of them"
                    )
    if problems:
        raise InstallError("\n".join(problems), "distributions-overlap")
    return owners, {name: value for name, (_, value) in seen.items()}


def files_of(tree: Path, names: Container[str]) -> set[str]:
    """Return the files of some distributions, given by their normal names, in a canonical tree."""
    found: set[str] = set()
    for path in tree.glob("*.dist-info/RECORD"):
        if canonical_name(path.parent.name.partition("-")[0]) in names:
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
    plain, own = map(canonical_name, names)
    return plain == own


def _label(folder: str) -> str:
    return folder.removesuffix(".dist-info").replace("-", " ")


def write_record(name: str, owned: Iterable[File]) -> bytes:
    """Return a RECORD (PEP 376, PEP 627) of the files `owned`, sorted; `name` is its own path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = {file.path: row_of(file) for file in owned}
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


def row_of(file: File) -> tuple[str, str]:
    """Return the digest and the size of a file as RECORD has them."""
    return f"{SHA256}{_base64(file.sha256)}", str(file.size)


def _base64(hexadecimal: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).rstrip(b"=").decode()
