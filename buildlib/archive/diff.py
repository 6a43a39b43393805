"""The differences between two ZIPs, byte for byte: `lambdas diff A.zip B.zip`."""

import hashlib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.archive.reader import Member, ZipReader
from buildlib.cache import digests

# Characters of a text, and bytes of binary data, that a difference quotes.
_SHOWN = 100


_SHOWN_BYTES = 16


class Difference(NamedTuple):
    """A difference: its member (empty for the archive itself), its field, and both values."""

    member: str
    field: str
    one: str
    other: str
    detail: str = ""

    def __str__(self) -> str:
        """Return the difference as a line, or two lines with its detail."""
        member = f"{self.member}: " if self.member else ""
        text = f"{member}{self.field}: {self.one} | {self.other}"
        return f"{text}\n  {self.detail}" if self.detail else text


def differences(one: Path, other: Path) -> list[Difference]:
    """Return all differences between two ZIPs; none if and only if their bytes are equal.

    Raises:
        ArchiveError: a file is not a ZIP, or is corrupt.

    """
    a, b = ZipReader(one), ZipReader(other)
    if a.data == b.data:
        return []
    pairs, differing = _paired(a, b)
    for left, right in pairs:
        differing += _member_differences(a, left, b, right)
    differing += [
        Difference("", field, value, b.fields[field])
        for field, value in a.fields.items()
        if value != b.fields[field]
    ]
    if not differing:
        at = _first_byte(a.data, b.data)
        excerpts = [zip_.data[at : at + _SHOWN_BYTES].hex(" ") or "the end" for zip_ in (a, b)]
        differing.append(Difference("", f"bytes from {at} on, outside of all members", *excerpts))
    return differing


def _paired(a: ZipReader, b: ZipReader) -> tuple[list[tuple[Member, Member]], list[Difference]]:
    """Return the pairs of corresponding members, and the differences of names and order."""
    left, right = _keyed(a), _keyed(b)
    differing = []
    folded = {_folded(key): key for key in right if key not in left}
    pairs = []
    for key, member in left.items():
        # Members correspond by name, or else by name in another case or Unicode form.
        twin = key if key in right else folded.pop(_folded(key), None)
        if twin is None:
            differing.append(Difference(key[0], "member", "present", "missing"))
        else:
            pairs.append((member, right[twin]))
    differing += [Difference(key[0], "member", "missing", "present") for key in folded.values()]
    position = {id(member): number for number, member in enumerate(b.members)}
    in_order_of_b = sorted((member for _, member in pairs), key=lambda member: position[id(member)])
    for number, ((mine, partner), member) in enumerate(zip(pairs, in_order_of_b, strict=True), 1):
        if partner is not member:
            detail = f"at common member {number} of {len(pairs)}"
            differing.append(Difference("", "order", mine.name, member.name, detail))
            break
    return pairs, differing


def _keyed(archive: ZipReader) -> dict[tuple[str, int], Member]:
    """Return the members by name, and by a number where several have the same name."""
    members: dict[tuple[str, int], Member] = {}
    for member in archive.members:
        number = 0
        while (member.name, number) in members:
            number += 1
        members[member.name, number] = member
    return members


def _folded(key: tuple[str, int]) -> tuple[str, int]:
    return unicodedata.normalize("NFC", key[0]).casefold(), key[1]


def _member_differences(
    a: ZipReader, left: Member, b: ZipReader, right: Member
) -> Iterator[Difference]:
    for field, value in left.fields.items():
        # Different data explains a different CRC; see below for the same data.
        if value != right.fields[field] and field != "CRC-32":
            yield Difference(left.name, field, value, right.fields[field])
    raw = a.compressed(left), b.compressed(right)
    if raw[0] == raw[1] and left.method == right.method:
        if left.fields["CRC-32"] != right.fields["CRC-32"]:
            checksums = left.fields["CRC-32"], right.fields["CRC-32"]
            yield Difference(left.name, "CRC-32", *checksums)
        return
    contents = a.content(left), b.content(right)
    if contents[0] != contents[1] or contents[0] is None:
        mine, theirs = (
            content if content is not None else data
            for content, data in zip(contents, raw, strict=True)
        )
        yield Difference(
            left.name, "data", _summary(mine), _summary(theirs), _first_difference(mine, theirs)
        )
    elif left.method == right.method:
        detail = "the content is the same"
        yield Difference(left.name, "compressed data", _summary(raw[0]), _summary(raw[1]), detail)


def _summary(data: bytes) -> str:
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:12]}"


def _first_difference(one: bytes, other: bytes) -> str:
    """Return the place where two contents begin to differ: the line of a text, else the byte."""
    try:
        texts = [content.decode() for content in (one, other)]
    except UnicodeDecodeError:
        texts = []
    if texts and not any("\0" in text for text in texts):
        lines = [text.splitlines(keepends=True) for text in texts]
        pairs = zip(*lines, strict=False)
        number = next((n for n, (x, y) in enumerate(pairs) if x != y), min(map(len, lines)))
        excerpts = [_line(text[number]) if number < len(text) else "the end" for text in lines]
        return f"line {number + 1}: {excerpts[0]} | {excerpts[1]}"
    at = _first_byte(one, other)
    excerpts = [content[at : at + _SHOWN_BYTES].hex(" ") or "the end" for content in (one, other)]
    return f"from byte {at} on: {excerpts[0]} | {excerpts[1]}"


def _first_byte(one: bytes, other: bytes) -> int:
    """Return the offset of the first different byte, or of the first byte that only one has."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # bisect for the longest common prefix
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _line(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def report(one: Path, other: Path) -> list[str]:
    """Return one line if two ZIPs are equal, else their names and a line for each difference.

    Raises:
        ArchiveError: a file cannot be read.

    """
    differing = differences(one, other)
    if not differing:
        return [f"{one} and {other} are equal: sha256 {digests.sha256(one)}"]
    return [f"{one} | {other}", *map(str, differing)]
