"""Read a ZIP with all fields of its headers. Section numbers are those of PKWARE's APPNOTE 6.3.10.

Both headers of every member are parsed, so that a difference in a field that other readers ignore
is visible, too.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from buildlib.errors import ArchiveError
from buildlib.runtimes import UNZIPPED_LIMIT
from buildlib.text import megabytes

# 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
LOCAL_HEADER = b"PK\3\4"
_LOCAL, _CENTRAL = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L")


_ZIP64_END, _ZIP64_LOCATOR = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")


_END = struct.Struct("<4s4H2LH")


# Larger contents are not unpacked: a ZIP of a megabyte may claim gigabytes.
_LARGEST = UNZIPPED_LIMIT


_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF


# 4.4.4: bit 0.
_ENCRYPTED = 1


_STORED, _DEFLATED = 0, 8


_METHODS = {_STORED: "stored", _DEFLATED: "deflate", 12: "bzip2", 14: "LZMA", 93: "Zstandard"}


_SYSTEMS = {0: "MS-DOS", 3: "Unix", 10: "NTFS", 19: "macOS"}


class Member(NamedTuple):
    """A member: the text of each field, and the position of its data."""

    name: str
    fields: dict[str, str]
    start: int
    compressed_size: int
    size: int
    method: int


class ZipReader:
    """The bytes of a ZIP, with its members in the order of the central directory.

    Raises:
        ArchiveError: the file is not a ZIP, or is corrupt, encrypted or split.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.data = path.read_bytes()
        except OSError as error:
            msg = f"{path}: {(error.strerror or str(error)).lower()}"
            raise ArchiveError(msg, "zip") from None
        self.fields: dict[str, str] = {}
        try:
            self.members = list(self._members())
        except (struct.error, IndexError, OverflowError):  # the last one for an offset of ZIP64
            self._stop("truncated or corrupt")

    def _stop(self, why: str) -> NoReturn:
        msg = f"{self.path}: not a readable ZIP: {why}"
        raise ArchiveError(msg, "zip") from None

    def _end(self) -> tuple[int, int, int]:
        """Return the number of members, and the start and the end of the central directory."""
        at = self.data.rfind(b"PK\5\6")
        if at < 0:
            self._stop("no end record (4.3.16)")
        _, disk, start_disk, _, count, size, offset, length = _END.unpack_from(self.data, at)
        if disk or start_disk:
            self._stop("split into several parts")
        comment = self.data[at + _END.size :]
        if len(comment) != length:
            self._stop("data after the end record")
        self.fields["comment"] = repr(comment)
        self.fields["ZIP64"] = "no"
        end = at
        if self.data[max(at - _ZIP64_LOCATOR.size, 0) : at].startswith(b"PK\6\7"):
            _, _, end, _ = _ZIP64_LOCATOR.unpack_from(self.data, at - _ZIP64_LOCATOR.size)
            record = _ZIP64_END.unpack_from(self.data, end)
            if record[0] != b"PK\6\6":
                self._stop("no ZIP64 end record (4.3.14) at its offset")
            count, size, offset = record[7:10]
            self.fields["ZIP64"] = f"version {record[2] & 0xFF}, needs {record[3]}"
        if offset + size > end:
            self._stop("the central directory overlaps the end record")
        return count, offset, offset + size

    def _members(self) -> Iterator[Member]:
        count, at, end = self._end()
        for _ in range(count):
            header = _CENTRAL.unpack_from(self.data, at)
            if header[0] != b"PK\1\2":
                self._stop("a header of the central directory (4.3.12) is missing")
            lengths = header[10:13]
            texts, at = self._cut(at + _CENTRAL.size, lengths)
            yield self._member(header, texts)
        if at != end:
            self._stop("the central directory has bytes after its last header")

    def _cut(self, at: int, lengths: Sequence[int]) -> tuple[list[bytes], int]:
        parts = []
        for length in lengths:
            parts.append(self.data[at : at + length])
            at += length
        if at > len(self.data):
            self._stop("truncated or corrupt")
        return parts, at

    def _member(self, header: tuple[int, ...], texts: list[bytes]) -> Member:
        raw, extra, comment = texts
        _, made, needed, flags, method, time, date, crc = header[:8]
        internal, external = header[14], header[15]
        name = raw.decode("utf-8", "backslashreplace")
        values = _zip64(extra, (header[9], header[8], header[16]))
        size, compressed_size, offset = values
        local, start = self._local(offset, name)
        if start + compressed_size > len(self.data):
            self._stop(f"the data of '{name}' is truncated")
        fields = {
            "name": raw.hex(" ") if not raw.isascii() else name,
            "mode": f"{external >> 16:07o}",
            "time": _time(date, time),
            "flags": f"{flags:#06x}",
            "method": _METHODS.get(method, str(method)),
            "extra": extra.hex() or "none",
            "comment": repr(comment) if comment else "none",
            "made by": f"{_SYSTEMS.get(made >> 8, made >> 8)} {(made & 0xFF) / 10}",
            "version needed": str((needed & 0xFF) / 10),
            "attributes": f"MS-DOS {external & _MAX16:#06x}, internal {internal:#06x}",
            "CRC-32": f"{crc:08x}",
        }
        # Sizes are left out, because they are 0 in the local header if a data descriptor follows.
        equal_in_local = {
            "name": raw == local[1],
            "flags": flags == local[0][2],
            "method": method == local[0][3],
            "time": (time, date) == local[0][4:6],
            "version needed": needed == local[0][1],
        }
        names = ("name", "flags", "method", "time", "version needed")
        local_texts = dict(zip(names, (
            repr(local[1]), f"{local[0][2]:#06x}", str(local[0][3]),
            _time(local[0][5], local[0][4]), str((local[0][1] & 0xFF) / 10),
        ), strict=True))  # fmt: skip
        for field, is_equal in equal_in_local.items():
            text = "the same" if is_equal else local_texts[field]
            fields[f"{field} in the local header"] = text
        fields["extra in the local header"] = local[2].hex() or "none"
        return Member(name, fields, start, compressed_size, size, method)

    def _local(self, offset: int, name: str) -> tuple[tuple[tuple[int, ...], bytes, bytes], int]:
        header = _LOCAL.unpack_from(self.data, offset)
        if header[0] != LOCAL_HEADER:
            self._stop(f"no local header (4.3.7) of '{name}' at its offset")
        (raw, extra), start = self._cut(offset + _LOCAL.size, header[9:11])
        if header[2] & _ENCRYPTED:
            self._stop(f"'{name}' is encrypted")
        return (header, raw, extra), start

    def compressed(self, member: Member) -> bytes:
        """Return the data of a member as stored in the archive."""
        return self.data[member.start : member.start + member.compressed_size]

    def content(self, member: Member) -> bytes | None:
        """Return the content of a member; None if its compression method is not supported."""
        data = self.compressed(member)
        if member.method == _STORED:
            return data
        if member.method != _DEFLATED:
            return None
        if member.size > _LARGEST:
            size = megabytes(member.size)
            self._stop(f"'{member.name}' has {size}, more than Lambda takes; it was not unpacked")
        content = self._inflated(member, data, member.size + 1)
        if len(content) != member.size:
            self._stop(f"the data of '{member.name}' does not have the size in its header")
        return content

    def start(self, member: Member, size: int) -> bytes:
        """Return the first bytes of a member's content, without unpacking the rest."""
        data = self.compressed(member)
        if member.method == _STORED:
            return data[:size]
        return self._inflated(member, data, size) if member.method == _DEFLATED else b""

    def _inflated(self, member: Member, data: bytes, most: int) -> bytes:
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)
        except zlib.error as error:
            self._stop(f"the data of '{member.name}' is corrupt ({error})")


def _zip64(extra: bytes, values: Sequence[int]) -> list[int]:
    """Return the sizes and the offset, taken from the ZIP64 field if oversized (4.5.3)."""
    large = b""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            large = extra[at + 4 : at + 4 + length]
        at += 4 + length
    resolved = []
    for value in values:
        if value == _MAX32 and large:
            resolved.append(int.from_bytes(large[:8], "little"))
            large = large[8:]
        else:
            resolved.append(value)
    return resolved


def _time(date: int, time: int) -> str:
    """Return an MS-DOS date and time (4.4.6)."""
    day = f"{1980 + (date >> 9)}-{date >> 5 & 15:02}-{date & 31:02}"
    return f"{day} {time >> 11:02}:{time >> 5 & 63:02}:{(time & 31) * 2:02}"
