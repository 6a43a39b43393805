"""What is large in a ZIP, by distribution, and what of it could go."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.archive.reader import ZipReader
from buildlib.model import Origin
from buildlib.text import megabytes

# boto3, which every Python runtime of Lambda has, and what it alone needs.
_IN_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath")


# What a part without a distribution is called, and why all of one could go.
OWN_FILES = "the function's own files"


IN_RUNTIME = "which the runtime has"


class Part(NamedTuple):
    """A part of a ZIP, unzipped and in bytes: a package, or the function's own files.

    `savings` are what could go, by the pattern for `exclude`, or the reason for all of it.
    """

    name: str
    size: int
    savings: dict[str, int]

    def __str__(self) -> str:
        """Return it as one line."""
        saved = "".join(f"; {megabytes(s)} of it {what}" for what, s in self.savings.items())
        return f"{self.name}: {megabytes(self.size)}{saved}"


PATTERNS = ("tests/", "test/", "docs/", "doc/", "*.pyi")


def parts(path: Path, own: Iterable[Origin]) -> list[Part]:
    """Return what is in the ZIP at `path`, the largest first; `own` are the function's own files.

    A file belongs to the distribution whose RECORD has it. Where no RECORD is in the ZIP, and for
    what was carried along from an image, the first part of its name stands for it.
    """
    archive = ZipReader(path)
    owners = dict(_owners(archive)) | {origin.file.path: OWN_FILES for origin in own}
    sizes: dict[str, int] = {}
    savings: dict[str, dict[str, int]] = {}
    for member in archive.members:
        name = owners.get(member.name) or member.name.partition("/")[0]
        sizes[name] = sizes.get(name, 0) + member.size
        what = _saving(member.name, name) if name != OWN_FILES else None
        if what and member.size:
            some = savings.setdefault(name, {})
            some[what] = some.get(what, 0) + member.size
    found = [
        Part(name, size, dict(sorted(savings.get(name, {}).items(), key=lambda some: -some[1])))
        for name, size in sizes.items()
    ]
    return sorted(found, key=lambda part: (-part.size, part.name))


def _owners(archive: ZipReader) -> Iterator[tuple[str, str]]:
    for member in archive.members:
        label, is_record, _ = member.name.partition(".dist-info/RECORD")
        if is_record and "/" not in label:
            text = (archive.content(member) or b"").decode("utf-8", "replace")
            for row in csv.reader(io.StringIO(text, newline="")):
                if row:
                    yield row[0], label.replace("-", " ")


def _saving(path: str, owner: str) -> str | None:
    """Return why a file of a package could be left out; None if it could not."""
    if owner.partition(" ")[0].lower() in _IN_RUNTIME:
        return IN_RUNTIME
    *folders, name = path.lower().split("/")
    for pattern in PATTERNS[:-1]:
        if pattern[:-1] in folders:
            return pattern
    return PATTERNS[-1] if name.endswith(".pyi") else None
