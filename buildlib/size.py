"""How large a ZIP is, whether Lambda takes it, and what in it could go.

Source of the limits: "Lambda quotas" in the AWS Lambda developer guide. AWS counts in units of
1,048,576 bytes, and so do we: 250 MB are 262,144,000 bytes.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildlib.archive import Written
from buildlib.errors import SizeError
from buildlib.model import Function, Origin, Variant
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT

if TYPE_CHECKING:
    from buildlib.members import Archive

_MB = 1 << 20
# From this part of a limit on, it is near.
_NEAR = 0.9
_SHOWN = 10
# boto3, which every Python runtime of Lambda has, and what it alone needs.
_IN_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath")
# What a part without a distribution is called, and why all of one could go.
OWN = "the function's own files"
HAS = "which the runtime has"


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


def megabytes(size: int) -> str:
    """Return a size in bytes as text."""
    return f"{size / _MB:.1f} MB"


def amount(size: int) -> str:
    """Return a size in bytes as one reads it, in AWS's units: `812 B`, `3.4 kB`, `28.9 MB`."""
    if size < 1 << 10:
        return f"{size} B"
    return f"{size / (1 << 10):.1f} kB" if size < _MB else megabytes(size)


def limit(function: Function) -> int:
    """Return what the unzipped content of a function may have, in bytes."""
    return function.size_limit or UNZIPPED_LIMIT


def fits(variant: Variant, written: Written) -> bool:
    """Tell whether a ZIP is within the limit of its function."""
    return written.unzipped_size <= limit(variant.function)


def check(variant: Variant, written: Written, path: Path, own: Iterable[Origin]) -> str | None:
    """Return what to warn of, if the ZIP at `path` is near a limit or too large for an upload.

    `own` are the function's own files.

    Raises:
        SizeError: it is over the limit; with the largest packages, and what each would save.

    """
    if not fits(variant, written):
        raise SizeError(_too_large(variant, written, parts(path, own)))
    most, name = limit(variant.function), variant.id
    if written.size > ZIPPED_LIMIT:
        return (
            f"{name}: {megabytes(written.size)} zipped; more than {megabytes(ZIPPED_LIMIT)} cannot "
            "be uploaded directly, only through S3 (s3_bucket and s3_key in Terraform)"
        )
    if written.unzipped_size >= _NEAR * most:
        return (
            f"{name}: {written.unzipped_size:,} bytes unzipped, of {most:,} that "
            f"{_whose(variant.function)}; 'doit size' shows what is large"
        )
    if written.size >= _NEAR * ZIPPED_LIMIT:
        return (
            f"{name}: {megabytes(written.size)} zipped, of {megabytes(ZIPPED_LIMIT)} that can be "
            "uploaded directly; 'doit size' shows what is large"
        )
    return None


def _whose(function: Function) -> str:
    return "its 'size_limit' allows" if function.size_limit else "Lambda takes"


def _too_large(variant: Variant, written: Written, largest: Sequence[Part]) -> str:
    function = variant.function
    over = written.unzipped_size - limit(function)
    total: dict[str, int] = {}
    for part in largest:
        for what, size in part.savings.items():
            total[what] = total.get(what, 0) + size
    patterns = [f'"{what}"' for what in total if what in _PATTERNS]
    advice = "Leave packages out, or split the function."
    if patterns:
        saved = sum(size for what, size in total.items() if what in _PATTERNS)
        advice = f"'exclude: [{', '.join(patterns)}]' would save {megabytes(saved)}. {advice}"
    if HAS in total:
        advice += " What the runtime has need not be in the requirements."
    return (
        f"lambda '{function.name}': {variant.id}.zip would have {written.unzipped_size:,} bytes "
        f"unzipped, {over:,} more than the {limit(function):,} that {_whose(function)} (layers, "
        "which count too, are not known here). The largest in it:\n"
        + "\n".join(f"  {part}" for part in largest[:_SHOWN])
        + f"\n{advice}"
    )


_PATTERNS = ("tests/", "test/", "docs/", "doc/", "*.pyi")


def parts(path: Path, own: Iterable[Origin]) -> list[Part]:
    """Return what is in the ZIP at `path`, the largest first; `own` are the function's own files.

    A file belongs to the distribution whose RECORD has it. Where no RECORD is in the ZIP, and for
    what was carried along from an image, the first part of its name stands for it.
    """
    from buildlib.members import Archive  # noqa: PLC0415 - only when something is looked at

    archive = Archive(path)
    owners = dict(_owners(archive)) | {origin.file.path: OWN for origin in own}
    sizes: dict[str, int] = {}
    savings: dict[str, dict[str, int]] = {}
    for member in archive.members:
        name = owners.get(member.name) or member.name.partition("/")[0]
        sizes[name] = sizes.get(name, 0) + member.size
        what = _saving(member.name, name) if name != OWN else None
        if what and member.size:
            some = savings.setdefault(name, {})
            some[what] = some.get(what, 0) + member.size
    found = [
        Part(name, size, dict(sorted(savings.get(name, {}).items(), key=lambda some: -some[1])))
        for name, size in sizes.items()
    ]
    return sorted(found, key=lambda part: (-part.size, part.name))


def _owners(archive: "Archive") -> Iterator[tuple[str, str]]:
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
        return HAS
    *folders, name = path.lower().split("/")
    for pattern in _PATTERNS[:-1]:
        if pattern[:-1] in folders:
            return pattern
    return _PATTERNS[-1] if name.endswith(".pyi") else None


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table; all columns but the first and the last are of numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if number in {0, len(row) - 1} else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
