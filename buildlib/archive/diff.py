"""The differences between two ZIPs, to the last byte: `python -m buildlib diff A.zip B.zip`."""

import hashlib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.archive.reader import Member, ZipReader
from buildlib.cache import digests

# Of a text, in characters, and of data, in bytes.
_SHOWN = 100


_SHOWN_BYTES = 16


class Difference(NamedTuple):
    """One thing that differs: in which member (empty: the archive), which field, both values."""

    member: str
    field: str
    one: str
    other: str
    detail: str = ""

    def __str__(self) -> str:
        """Return it as a line, or two."""
        where = f"{self.member}: " if self.member else ""
        text = f"{where}{self.field}: {self.one} | {self.other}"
        return f"{text}\n  {self.detail}" if self.detail else text


def differences(one: Path, other: Path) -> list[Difference]:
    """Return all that differs between two ZIPs; nothing if and only if their bytes are equal.

    Raises:
        ArchiveError: one of them is no ZIP, or is damaged.

    """
    a, b = ZipReader(one), ZipReader(other)
    if a.data == b.data:
        return []
    pairs, found = _paired(a, b)
    for left, right in pairs:
        found += _member_differences(a, left, b, right)
    found += [
        Difference("", field, value, b.fields[field])
        for field, value in a.fields.items()
        if value != b.fields[field]
    ]
    if not found:
        at = next((i for i, (x, y) in enumerate(zip(a.data, b.data, strict=False)) if x != y), None)
        at = min(len(a.data), len(b.data)) if at is None else at
        shown = [archive.data[at : at + _SHOWN_BYTES].hex(" ") or "the end" for archive in (a, b)]
        found.append(Difference("", f"bytes from {at} on, outside of all members", *shown))
    return found


def _paired(a: ZipReader, b: ZipReader) -> tuple[list[tuple[Member, Member]], list[Difference]]:
    """Return the members that correspond, and what differs in their names and their order."""
    left, right = _keyed(a), _keyed(b)
    found = []
    folded = {_folded(key): key for key in right if key not in left}
    pairs = []
    for key, member in left.items():
        # The same name, or else the same in another case or another Unicode form.
        twin = key if key in right else folded.pop(_folded(key), None)
        if twin is None:
            found.append(Difference(key[0], "member", "there", "not there"))
        else:
            pairs.append((member, right[twin]))
    found += [Difference(key[0], "member", "not there", "there") for key in folded.values()]
    place = {id(member): number for number, member in enumerate(b.members)}
    theirs = sorted((member for _, member in pairs), key=lambda member: place[id(member)])
    for number, ((left_one, right_one), member) in enumerate(zip(pairs, theirs, strict=True), 1):
        if right_one is not member:
            detail = f"at the {number}. of the {len(pairs)} members that both have"
            found.append(Difference("", "order", left_one.name, member.name, detail))
            break
    return pairs, found


def _keyed(archive: ZipReader) -> dict[tuple[str, int], Member]:
    """Return the members by name and, where a name is there several times, its number."""
    found: dict[tuple[str, int], Member] = {}
    for member in archive.members:
        number = 0
        while (member.name, number) in found:
            number += 1
        found[member.name, number] = member
    return found


def _folded(key: tuple[str, int]) -> tuple[str, int]:
    return unicodedata.normalize("NFC", key[0]).casefold(), key[1]


def _member_differences(
    a: ZipReader, left: Member, b: ZipReader, right: Member
) -> Iterator[Difference]:
    for field, value in left.fields.items():
        # The check sum says no more than the data.
        if value != right.fields[field] and field != "CRC-32":
            yield Difference(left.name, field, value, right.fields[field])
    raw = a.compressed(left), b.compressed(right)
    if raw[0] == raw[1] and left.method == right.method:
        if left.fields["CRC-32"] != right.fields["CRC-32"]:
            sums = left.fields["CRC-32"], right.fields["CRC-32"]
            yield Difference(left.name, "CRC-32", *sums)
        return
    contents = a.content(left), b.content(right)
    if contents[0] != contents[1] or contents[0] is None:
        mine, theirs = (
            content if content is not None else data
            for content, data in zip(contents, raw, strict=True)
        )
        shown = _data(mine), _data(theirs)
        yield Difference(left.name, "data", *shown, _first(mine, theirs))
    elif left.method == right.method:
        one, other = (f"{len(data)} bytes, sha256 {_sha256(data)}" for data in raw)
        detail = "the content is the same"
        yield Difference(left.name, "compressed data", one, other, detail)


def _data(content: bytes) -> str:
    return f"{len(content)} bytes, sha256 {_sha256(content)}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _first(one: bytes, other: bytes) -> str:
    """Return where two contents begin to differ: the line of a text, else the byte."""
    try:
        texts = [content.decode() for content in (one, other)]
    except UnicodeDecodeError:
        texts = []
    if texts and not any("\0" in text for text in texts):
        lines = [text.splitlines(keepends=True) for text in texts]
        pairs = zip(*lines, strict=False)
        number = next((n for n, (x, y) in enumerate(pairs) if x != y), min(map(len, lines)))
        shown = [_line(some[number]) if number < len(some) else "the end" for some in lines]
        return f"line {number + 1}: {shown[0]} | {shown[1]}"
    at = _first_byte(one, other)
    shown = [content[at : at + _SHOWN_BYTES].hex(" ") or "the end" for content in (one, other)]
    return f"from byte {at} on: {shown[0]} | {shown[1]}"


def _first_byte(one: bytes, other: bytes) -> int:
    """Return the offset of the first byte that differs, or that only one has."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # the longest common start, by halves
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
        ArchiveError: one of them cannot be read.

    """
    found = differences(one, other)
    if not found:
        return [f"{one} and {other} are equal: sha256 {digests.sha256(one)}"]
    return [f"{one} | {other}", *map(str, found)]
