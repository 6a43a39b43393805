"""Write a ZIP whose bytes are decided by its members alone.

Written from PKWARE's APPNOTE.TXT 6.3.10; the sections are named where they apply. Members are made
from their contents and constants, never from a file's metadata.
"""

import contextlib
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

import deflate

from buildlib.earlier import Base, Earlier
from buildlib.errors import ArchiveError
from buildlib.model import Packed
from buildlib.streams import CHUNK, Output

# 4.4.6: MS-DOS date and time of 2012-12-12 12:12:00.
_DATE = (2012 - 1980) << 9 | 12 << 5 | 12
_TIME = 12 << 11 | 12 << 5
# 4.4.2: made by version 2.0 on Unix, so that the external attributes hold a Unix mode.
_UNIX = 3 << 8
# 4.4.3: version 2.0 for deflate, 4.5 where ZIP64 is needed.
_VERSION, _VERSION_ZIP64 = 20, 45
# 4.4.15: a regular file, rwxr-xr-x.
_ATTRIBUTES = 0o100755 << 16
# 4.4.4: bit 11, the name is UTF-8.
_UTF8 = 1 << 11
# 4.4.1.4: a field with all bits set says that the value is in the ZIP64 record.
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF


class Written(NamedTuple):
    """A finished ZIP: its hex sha256, its size and the size of its contents in bytes."""

    sha256: str
    size: int
    unzipped_size: int


def write(path: Path, members: Iterable[tuple[str, Packed]], base: Base | None = None) -> Written:
    """Write the members, each with its name, in the order of their names' UTF-8 bytes.

    Those of `base` that it does not omit are taken over; together they need no ZIP64.

    Raises:
        ArchiveError: the data of a member, or the base, is not what it was said to be.

    """
    entries = sorted((name.encode(), member) for name, member in members)
    count, unzipped = len(entries), sum(member.size for _, member in entries)
    central: list[bytes] = []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        output = Output(stack.enter_context(path.open("wb", buffering=0)), pool)
        sources, earlier = _Sources(stack), None
        if base:
            opened = stack.enter_context(base.path.open("rb", buffering=0))
            earlier = Earlier(base, opened)
        for name, member in entries:
            if earlier:
                central += earlier.copy(output, before=name)
            central.append(_central_header(name, member, output.size))
            output.write(_local_header(name, member))
            sources.copy(name, member, output)
        if earlier:
            central += earlier.copy(output)
            earlier.check()
            count, unzipped = count + earlier.count, unzipped + earlier.unzipped
        start = output.size
        output.write(b"".join(central))
        output.write(_end(count, output.size - start, start))
        return Written(output.finish(), output.size, unzipped)


class _Sources:
    """The files that the data of members is in, each opened once."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._packs: dict[str, BinaryIO] = {}

    def copy(self, name: bytes, member: Packed, output: Output) -> None:
        """Copy the data of a member."""
        if not member.offset and member.compressed_size == member.size:
            with open(member.pack, "rb") as own:  # stored straight from its own file
                _copy(own, name, member, output)
            return
        pack = self._packs.get(member.pack)
        if pack is None:
            pack = self._stack.enter_context(open(member.pack, "rb"))  # noqa: SIM115
            self._packs[member.pack] = pack
        _copy(pack, name, member, output)


def _copy(source: BinaryIO, name: bytes, member: Packed, output: Output) -> None:
    source.seek(member.offset)
    left, crc = member.compressed_size, 0
    while left:
        chunk = source.read(min(left, CHUNK))
        if not chunk:
            break
        if not member.method:
            crc = deflate.crc32(chunk, crc)
        output.write(chunk)
        left -= len(chunk)
    if left or (not member.method and crc != member.crc):
        msg = f"{name.decode()}: changed while it was read; run doit again"
        raise ArchiveError(msg, "changed")


def _common(name: bytes, member: Packed, *, zip64: bool) -> tuple[int, ...]:
    """Return the fields that the local and the central header share, up to the CRC."""
    return (
        _VERSION_ZIP64 if zip64 else _VERSION,
        0 if name.isascii() else _UTF8,
        member.method,
        _TIME,
        _DATE,
        member.crc,
    )


def _local_header(name: bytes, member: Packed) -> bytes:
    """4.3.7; 4.5.3: the local header has both sizes in its ZIP64 field, or none."""
    sizes = (member.compressed_size, member.size)
    extra = b""
    if zip64 := max(sizes) >= _MAX32:
        extra = struct.pack("<HHQQ", 1, 16, member.size, member.compressed_size)
        sizes = (_MAX32, _MAX32)
    fields = _common(name, member, zip64=zip64)
    header = struct.pack("<4s5H3L2H", b"PK\3\4", *fields, *sizes, len(name), len(extra))
    return header + name + extra


def _central_header(name: bytes, member: Packed, offset: int) -> bytes:
    """4.3.12; 4.5.3: the ZIP64 field has only what does not fit, in this order."""
    values = (member.size, member.compressed_size, offset)
    large = [value for value in values if value >= _MAX32]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, compressed_size, offset = (min(value, _MAX32) for value in values)
    fields = _common(name, member, zip64=bool(large))
    header = struct.pack(
        "<4sH5H3L5H2L",
        *(b"PK\1\2", _UNIX | fields[0], *fields, compressed_size, size),
        *(len(name), len(extra), 0, 0, 0, _ATTRIBUTES, offset),
    )
    return header + name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    """4.3.16, after 4.3.14 and 4.3.15 where a value does not fit."""
    zip64 = b""
    if count >= _MAX16 or size >= _MAX32 or offset >= _MAX32:
        made_by = _UNIX | _VERSION_ZIP64
        zip64 = struct.pack(
            "<4sQ2H2L4Q",
            *(b"PK\6\6", 44, made_by, _VERSION_ZIP64, 0, 0, count, count, size, offset),
        ) + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
    count, size, offset = min(count, _MAX16), min(size, _MAX32), min(offset, _MAX32)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, 0)
    return zip64 + end
