"""The headers of a ZIP. The section numbers are those of PKWARE's APPNOTE.TXT 6.3.10.

A header consists of constants and facts of the content, never of a file's metadata.
"""

import struct

from buildlib.model import CompressedMember

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
MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF


def _common(name: bytes, member: CompressedMember, *, zip64: bool) -> tuple[int, ...]:
    """Return the fields that the local and the central header share, up to the CRC."""
    return (
        _VERSION_ZIP64 if zip64 else _VERSION,
        0 if name.isascii() else _UTF8,
        member.method,
        _TIME,
        _DATE,
        member.crc,
    )


def local_header(name: bytes, member: CompressedMember) -> bytes:
    """Return a local header (4.3.7), with both sizes in its ZIP64 field (4.5.3) or neither."""
    sizes = (member.compressed_size, member.size)
    extra = b""
    if zip64 := max(sizes) >= MAX32:
        extra = struct.pack("<HHQQ", 1, 16, member.size, member.compressed_size)
        sizes = (MAX32, MAX32)
    fields = _common(name, member, zip64=zip64)
    header = struct.pack("<4s5H3L2H", b"PK\3\4", *fields, *sizes, len(name), len(extra))
    return header + name + extra


def is_ours(start: bytes) -> bool:
    """Tell whether a file starts with a local header as this module writes them."""
    if len(start) < 14 or not start.startswith(b"PK\3\4"):  # noqa: PLR2004 - up to the CRC
        return False
    version, _, _, time, date = struct.unpack_from("<5H", start, 4)
    return version in {_VERSION, _VERSION_ZIP64} and (time, date) == (_TIME, _DATE)


def central_header(name: bytes, member: CompressedMember, offset: int) -> bytes:
    """Return a central header (4.3.12), with only oversized values in its ZIP64 field (4.5.3)."""
    values = (member.size, member.compressed_size, offset)
    large = [value for value in values if value >= MAX32]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, compressed_size, offset = (min(value, MAX32) for value in values)
    fields = _common(name, member, zip64=bool(large))
    header = struct.pack(
        "<4sH5H3L5H2L",
        *(b"PK\1\2", _UNIX | fields[0], *fields, compressed_size, size),
        *(len(name), len(extra), 0, 0, 0, _ATTRIBUTES, offset),
    )
    return header + name + extra


def end_of_archive(count: int, size: int, offset: int) -> bytes:
    """Return the end record (4.3.16), after the ZIP64 records (4.3.14, 4.3.15) if needed."""
    zip64 = b""
    if count >= MAX16 or size >= MAX32 or offset >= MAX32:
        made_by = _UNIX | _VERSION_ZIP64
        zip64 = struct.pack(
            "<4sQ2H2L4Q",
            *(b"PK\6\6", 44, made_by, _VERSION_ZIP64, 0, 0, count, count, size, offset),
        ) + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
    count, size, offset = min(count, MAX16), min(size, MAX32), min(offset, MAX32)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, 0)
    return zip64 + end
