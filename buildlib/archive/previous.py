"""Copy unchanged members from the previous ZIP of a variant, in runs as long as possible.

Members are copied with their headers; only their offsets change. The previous ZIP is read once from
start to end, and its CRC-32 is computed on the way. If the CRC-32 differs, the copy is discarded.
CRC-32 is enough to detect corruption, and a ZIP protects its members with no more; a second sha256
would double the cost of an edit.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import deflate

from buildlib.archive.hashing import CHUNK, HashingWriter
from buildlib.errors import ArchiveError

# APPNOTE 4.3.16.
_END = struct.Struct("<4s4H2LH")


# APPNOTE 4.3.12: the positions in a central header of the uncompressed size, of the lengths of name
# and extra field, of the offset of the local header, and of the name.
_SIZE, _LENGTH, _OFFSET, _NAME = 24, 28, 42, 46


_UINT16S, _UINT32 = struct.Struct("<2H"), struct.Struct("<L")


_MAX32 = 0xFFFFFFFF


class PreviousZip(NamedTuple):
    """A previous ZIP, without ZIP64: its path, its CRC-32, and the members not to copy."""

    path: Path
    crc: int
    omitted: frozenset[str]


class PreviousMembers:
    """The members of a previous ZIP, to copy in their order.

    `count` and `unzipped` are the number and the unzipped bytes of the members copied so far.

    Raises:
        ArchiveError: the previous ZIP is corrupt, or uses ZIP64.

    """

    def __init__(self, base: PreviousZip, stream: BinaryIO) -> None:
        self.count, self.unzipped = 0, 0
        self._base, self._stream, self._crc = base, stream, 0
        self._omitted = {name.encode() for name in base.omitted}
        self._names: list[bytes] = []
        self._headers: list[int] = []  # their offsets in the central directory
        self._read = 0  # the number of bytes read so far
        self._next = 0  # the index of the next member
        self._start = 0  # the offset of the central directory
        try:
            self._parse()
        except (struct.error, OSError):  # truncated
            self._stop()

    def _parse(self) -> None:
        self._stream.seek(-_END.size, os.SEEK_END)
        *_, count, size, self._start, _ = _END.unpack(self._stream.read())
        self._stream.seek(self._start)
        self._directory = self._stream.read()
        self._stream.seek(0)
        at = 0
        while at < size:
            length, extra = _UINT16S.unpack_from(self._directory, at + _LENGTH)
            if extra:  # ZIP64
                self._stop()
            end = at + _NAME + length
            self._names.append(self._directory[at + _NAME : end])
            self._headers.append(at)
            at = end
        self._headers.append(at)
        if len(self._names) != count:
            self._stop()

    def copy(self, output: HashingWriter, before: bytes | None = None) -> Iterator[bytes]:
        """Copy the members before a name, or all remaining ones; yield their central headers."""
        end = len(self._names) if before is None else bisect_left(self._names, before)
        while self._next < end:
            if self._names[self._next] in self._omitted:
                self._next += 1
                continue
            first = self._next
            while self._next < end and self._names[self._next] not in self._omitted:
                self._next += 1
            yield self._copy_run(first, self._next, output)

    def _copy_run(self, first: int, last: int, output: HashingWriter) -> bytes:
        """Copy a run of adjacent members, and return their central headers."""
        start = self._offset(first)
        shift = output.size - start
        headers = bytearray(self._directory[self._headers[first] : self._headers[last]])
        for position in self._headers[first:last]:
            at = position - self._headers[first]
            self.unzipped += _UINT32.unpack_from(headers, at + _SIZE)[0]
            offset = _UINT32.unpack_from(headers, at + _OFFSET)[0]
            if not 0 <= offset + shift < _MAX32:
                self._stop()
            _UINT32.pack_into(headers, at + _OFFSET, offset + shift)
        self.count += last - first
        for _ in self._chunks(start):
            pass  # only for the CRC
        for chunk in self._chunks(self._offset(last)):
            output.write(chunk)
        return bytes(headers)

    def _offset(self, member: int) -> int:
        if member == len(self._names):
            return self._start
        (offset,) = _UINT32.unpack_from(self._directory, self._headers[member] + _OFFSET)
        return int(offset)

    def _chunks(self, end: int) -> Iterator[bytes]:
        while self._read < end and (chunk := self._stream.read(min(CHUNK, end - self._read))):
            self._crc = deflate.crc32(chunk, self._crc)
            self._read += len(chunk)
            yield chunk

    def check(self) -> None:
        """Read the remaining bytes, and check the CRC-32 of the whole file.

        Raises:
            ArchiveError: the CRC-32 differs.

        """
        for _ in self._chunks(self._start):
            pass
        if deflate.crc32(self._directory, self._crc) != self._base.crc:
            self._stop()

    def _stop(self) -> NoReturn:
        msg = f"{self._base.path}: changed since it was written, or uses ZIP64"
        raise ArchiveError(msg, "changed")
