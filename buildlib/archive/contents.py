"""The content of a ZIP by distribution, the size of each, and possible savings."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.archive.reader import ZipReader
from buildlib.model import Origin
from buildlib.text import megabytes

# boto3, which every Python runtime of Lambda provides, and its dependencies.
_IN_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath")


# The name of the part that belongs to no distribution.
OWN_FILES = "the function's own files"


# The reason to leave out a whole distribution.
IN_RUNTIME = "provided by the runtime"


class Part(NamedTuple):
    """A part of a ZIP: a distribution or the function's own files, and its unzipped bytes.

    `savings` maps a pattern for `exclude`, or `IN_RUNTIME`, to the bytes that it would save.
    """

    name: str
    size: int
    savings: dict[str, int]

    def __str__(self) -> str:
        """Return the part as one line."""
        savings = "".join(f"; {megabytes(s)} of it {why}" for why, s in self.savings.items())
        return f"{self.name}: {megabytes(self.size)}{savings}"


PATTERNS = ("tests/", "test/", "docs/", "doc/", "*.pyi")


def parts(path: Path, own: Iterable[Origin]) -> list[Part]:
    """Return the parts of the ZIP at `path`, the largest first; `own` are the function's own files.

    A file belongs to the distribution whose RECORD lists it. A file in no RECORD, such as a library
    from an image, belongs to a part with the name of its top folder.
    """
    archive = ZipReader(path)
    owners = dict(_owners(archive)) | {origin.file.path: OWN_FILES for origin in own}
    sizes: dict[str, int] = {}
    savings: dict[str, dict[str, int]] = {}
    for member in archive.members:
        name = owners.get(member.name) or member.name.partition("/")[0]
        sizes[name] = sizes.get(name, 0) + member.size
        why = _saving(member.name, name) if name != OWN_FILES else None
        if why and member.size:
            by_reason = savings.setdefault(name, {})
            by_reason[why] = by_reason.get(why, 0) + member.size
    unsorted = [
        Part(name, size, dict(sorted(savings.get(name, {}).items(), key=lambda saving: -saving[1])))
        for name, size in sizes.items()
    ]
    return sorted(unsorted, key=lambda part: (-part.size, part.name))


def _owners(archive: ZipReader) -> Iterator[tuple[str, str]]:
    for member in archive.members:
        label, is_record, _ = member.name.partition(".dist-info/RECORD")
        if is_record and "/" not in label:
            text = (archive.content(member) or b"").decode("utf-8", "replace")
            for row in csv.reader(io.StringIO(text, newline="")):
                if row:
                    yield row[0], label.replace("-", " ")


def _saving(path: str, owner: str) -> str | None:
    """Return the pattern or the reason by which a file could be left out; None to keep it."""
    if owner.partition(" ")[0].lower() in _IN_RUNTIME:
        return IN_RUNTIME
    *folders, name = path.lower().split("/")
    for pattern in PATTERNS[:-1]:
        if pattern[:-1] in folders:
            return pattern
    return PATTERNS[-1] if name.endswith(".pyi") else None
