"""Headers are those of PKWARE's APPNOTE 6.3.10, up to each limit and beyond it."""

import struct

import pytest

from buildlib.archive import headers
from buildlib.model import CompressedMember

# 4.4.1.4: a field with all bits set refers to the ZIP64 record, so that value itself needs one.
MAX16, MAX32 = 0xFFFF, 0xFFFF_FFFF
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")


def member(compressed_size: int = 10, size: int = 20, method: int = 8) -> CompressedMember:
    """Return a member of these sizes."""
    return CompressedMember("pack", 0, compressed_size, size, 0x12345678, method)


@pytest.mark.parametrize(
    ("count", "size", "offset"),
    [(0, 0, 0), (MAX16 - 1, 1, 1), (1, MAX32 - 1, 1), (1, 1, MAX32 - 1)],
)
def test_end_within_the_limits(count: int, size: int, offset: int) -> None:
    """4.3.16: values that fit stand in the end record, and there is no other."""
    end = (b"PK\5\6", 0, 0, count, count, size, offset, 0)
    assert headers.end_of_archive(count, size, offset) == END.pack(*end)


@pytest.mark.parametrize(
    ("count", "size", "offset"),
    [(MAX16, 1, 2), (MAX16 + 1, 1, 2), (1, MAX32, 2), (1, MAX32 + 1, 2), (1, 2, MAX32),
     (1, 2, MAX32 + 1), (MAX16, MAX32, MAX32)],
)  # fmt: skip
def test_end_at_the_limits(count: int, size: int, offset: int) -> None:
    """4.3.14 and 4.3.15: a value that only ZIP64 can hold, or that means ZIP64, has its record."""
    end = headers.end_of_archive(count, size, offset)
    assert len(end) == END64.size + LOCATOR.size + END.size
    made_by = 3 << 8 | 45
    assert END64.unpack_from(end) == (
        *(b"PK\6\6", END64.size - 12, made_by, 45, 0, 0, count, count, size, offset),
    )
    assert LOCATOR.unpack_from(end, END64.size) == (b"PK\6\7", 0, offset + size, 1)
    short = (min(count, MAX16), min(count, MAX16), min(size, MAX32), min(offset, MAX32))
    assert END.unpack_from(end, END64.size + LOCATOR.size) == (b"PK\5\6", 0, 0, *short, 0)


@pytest.mark.parametrize("name", ["app.py", "\u00fc.py"])
def test_local_header(name: str) -> None:
    """4.3.7: every field is a constant, or from the name and the member."""
    flags = 0 if name.isascii() else 1 << 11
    expected = LOCAL.pack(
        *(b"PK\3\4", 20, flags, 8, 12 << 11 | 12 << 5, 32 << 9 | 12 << 5 | 12, 0x12345678),
        *(10, 20, len(name.encode()), 0),
    )
    assert headers.local_header(name.encode(), member()) == expected + name.encode()


@pytest.mark.parametrize("name", ["app.py", "\u00fc.py"])
def test_central_header(name: str) -> None:
    """4.3.12: every field is a constant, or from the name, the member and its place."""
    flags = 0 if name.isascii() else 1 << 11
    expected = CENTRAL.pack(
        *(b"PK\1\2", 3 << 8 | 20, 20, flags, 8, 12 << 11 | 12 << 5, 32 << 9 | 12 << 5 | 12),
        *(0x12345678, 10, 20, len(name.encode()), 0, 0, 0, 0, 0o100755 << 16, 30),
    )
    assert headers.central_header(name.encode(), member(), 30) == expected + name.encode()


@pytest.mark.parametrize("sizes", [(MAX32, 5), (5, MAX32), (MAX32 + 1, MAX32 + 2)])
def test_local_header_of_a_large_member(sizes: tuple[int, int]) -> None:
    """4.5.3: a size that is too large puts both sizes into the ZIP64 field, that of the content
    first.
    """
    header = headers.local_header(b"a", member(*sizes))
    assert LOCAL.unpack_from(header)[1] == 45
    assert LOCAL.unpack_from(header)[7:] == (MAX32, MAX32, 1, 20)
    assert header[LOCAL.size :] == b"a" + struct.pack("<HHQQ", 1, 16, sizes[1], sizes[0])
    fits = headers.local_header(b"a", member(MAX32 - 1, MAX32 - 1))
    assert fits == LOCAL.pack(*LOCAL.unpack_from(fits)[:7], MAX32 - 1, MAX32 - 1, 1, 0) + b"a"
    assert LOCAL.unpack_from(fits)[1] == 20


@pytest.mark.parametrize(
    ("sizes", "offset", "large"),
    [
        ((MAX32 - 1, MAX32 - 1), MAX32 - 1, ()),
        ((5, MAX32), 6, (MAX32,)),
        ((MAX32, 5), 6, (MAX32,)),
        ((5, 6), MAX32, (MAX32,)),
        ((MAX32 + 1, MAX32 + 2), MAX32 + 3, (MAX32 + 2, MAX32 + 1, MAX32 + 3)),
    ],
)
def test_central_header_of_a_large_member(
    sizes: tuple[int, int], offset: int, large: tuple[int, ...]
) -> None:
    """4.5.3: only what does not fit is in the ZIP64 field: content, compressed size, offset."""
    header = headers.central_header(b"a", member(*sizes), offset)
    fields = CENTRAL.unpack_from(header)
    assert fields[1:3] == ((3 << 8 | 45, 45) if large else (3 << 8 | 20, 20))
    assert fields[8:10] == (min(sizes[0], MAX32), min(sizes[1], MAX32))
    assert fields[16] == min(offset, MAX32)
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    assert header[CENTRAL.size :] == b"a" + extra
    assert fields[11] == len(extra)
