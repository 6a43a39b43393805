"""Take over the members of an earlier ZIP of ours, as many at a time as stay together.

They come with their headers, as they are; only where they start is said anew. The earlier ZIP is
read once, from its start to its end, and its CRC-32 is made on the way: nothing of it counts that
is not what was written there. Damage is what has to be noticed, as a ZIP does it for its members; a
second sha256 takes as long as all the rest of an edit.
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

# APPNOTE 4.3.16, and of 4.3.12 the size of the content, the lengths of the name and of the extra
# field, and the offset of the local header: where they are in a central header; the name is next.
_END = struct.Struct("<4s4H2LH")


_SIZE, _LENGTH, _OFFSET, _NAME = 24, 28, 42, 46


_UINT16S, _UINT32 = struct.Struct("<2H"), struct.Struct("<L")


_MAX32 = 0xFFFFFFFF


class PreviousZip(NamedTuple):
    """An earlier ZIP, without ZIP64: its CRC-32, and the members that are not wanted."""

    path: Path
    crc: int
    omitted: frozenset[str]


class PreviousMembers:
    """The members of a base, to be copied in their order.

    `count` and `unzipped` are the number and the size in bytes of those that were copied.

    Raises:
        ArchiveError: it cannot be read.

    """

    def __init__(self, base: PreviousZip, stream: BinaryIO) -> None:
        self.count, self.unzipped = 0, 0
        self._base, self._stream, self._crc = base, stream, 0
        self._omitted = {name.encode() for name in base.omitted}
        self._names: list[bytes] = []
        self._headers: list[int] = []  # where they are in the central directory
        self._read = 0  # up to which byte the base was read
        self._next = 0  # which member comes next
        self._start = 0  # of the central directory
        try:
            self._take_apart()
        except (struct.error, OSError):  # shorter than it should be
            self._stop()

    def _take_apart(self) -> None:
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
        """Copy the members before a name, or all the rest, and yield their central headers."""
        end = len(self._names) if before is None else bisect_left(self._names, before)
        while self._next < end:
            if self._names[self._next] in self._omitted:
                self._next += 1
                continue
            first = self._next
            while self._next < end and self._names[self._next] not in self._omitted:
                self._next += 1
            yield self._run(first, self._next, output)

    def _run(self, first: int, last: int, output: HashingWriter) -> bytes:
        """Copy members that stay together, and return their central headers."""
        start = self._offset(first)
        moved = output.size - start
        headers = bytearray(self._directory[self._headers[first] : self._headers[last]])
        origin = self._headers[first]
        for at in self._headers[first:last]:
            self.unzipped += _UINT32.unpack_from(headers, at - origin + _SIZE)[0]
            offset = _UINT32.unpack_from(headers, at - origin + _OFFSET)[0]
            if not 0 <= offset + moved < _MAX32:
                self._stop()
            _UINT32.pack_into(headers, at - origin + _OFFSET, offset + moved)
        self.count += last - first
        for _ in self._chunks(start):
            pass  # only for the sum
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
        """Read what is left, and check that all of it is what was written.

        Raises:
            ArchiveError: it is not.

        """
        for _ in self._chunks(self._start):
            pass
        if deflate.crc32(self._directory, self._crc) != self._base.crc:
            self._stop()

    def _stop(self) -> NoReturn:
        msg = f"{self._base.path}: not what was written there, or ZIP64"
        raise ArchiveError(msg, "changed")
