"""Write a ZIP whose bytes are decided by its members alone.

Written from PKWARE's APPNOTE.TXT 6.3.10; the sections are named where they apply. Members are made
from their contents and constants, never from a file's metadata.
"""

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import deflate

from buildlib.errors import ArchiveError
from buildlib.model import Packed

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

_CHUNK = 1 << 20


class Written(NamedTuple):
    """A finished ZIP: its hex sha256, its size and the size of its contents in bytes."""

    sha256: str
    size: int
    unzipped_size: int


def write(path: Path, members: Iterable[tuple[str, Packed]]) -> Written:
    """Write the members, each with its name, in the order of their names' UTF-8 bytes.

    Raises:
        ArchiveError: the data of a member is not what it was said to be.

    """
    entries = sorted((name.encode(), member) for name, member in members)
    central: list[bytes] = []
    unzipped = 0
    sources: dict[str, BinaryIO] = {}
    with path.open("wb") as stream:
        output = _Output(stream)
        try:
            for name, member in entries:
                central.append(_central_header(name, member, output.size))
                output.write(_local_header(name, member))
                source = sources.get(member.pack)
                if source is None:
                    source = sources[member.pack] = open(member.pack, "rb")  # noqa: SIM115
                _copy(source, member, output, name.decode())
                if not member.offset and member.compressed_size == member.size:
                    sources.pop(member.pack).close()  # stored straight from its own file
                unzipped += member.size
        finally:
            for source in sources.values():
                source.close()
        start = output.size
        for header in central:
            output.write(header)
        output.write(_end(len(central), output.size - start, start))
        output.flush()
    return Written(output.digest.hexdigest(), output.size, unzipped)


class _Output:
    """A stream that hashes and counts what goes through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self._stream = stream
        self._pending: list[bytes] = []
        self._waiting = 0

    def write(self, data: bytes) -> None:
        self._pending.append(data)
        self._waiting += len(data)
        self.size += len(data)
        if self._waiting >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        data = b"".join(self._pending)
        self.digest.update(data)
        self._stream.write(data)
        self._pending.clear()
        self._waiting = 0


def _copy(source: BinaryIO, member: Packed, output: _Output, name: str) -> None:
    source.seek(member.offset)
    left, crc = member.compressed_size, 0
    while left:
        chunk = source.read(min(left, _CHUNK))
        if not chunk:
            break
        if not member.method:
            crc = deflate.crc32(chunk, crc)
        output.write(chunk)
        left -= len(chunk)
    if left or (not member.method and crc != member.crc):
        msg = f"{name}: changed while it was read; run doit again"
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
