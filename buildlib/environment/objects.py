"""Read the parts of a shared object: its segments and sections (System V ABI, "Object Files")."""

import struct
from collections.abc import Iterable
from typing import NamedTuple

# The bytes of a file that was read, or of one that is being written.
Content = bytes | bytearray

IDENT = struct.Struct("<16s")
HEADER = struct.Struct("<HHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
_ENTRY = struct.Struct("<QQ")  # of the dynamic section

# Bytes of the header with its identification.
FIRST = IDENT.size + HEADER.size

# 64 bits and little-endian, ET_DYN, and the processors of Lambda: EM_X86_64 and EM_AARCH64.
_IDENT, _SHARED, _MACHINES = b"\x7fELF\x02\x01", 3, (62, 183)
LOAD, _DYNAMIC, _INTERP = 1, 2, 3  # PT_...
NULL, SYMTAB, STRTAB, RELA, NOBITS, REL, SHNDX = 0, 2, 3, 4, 8, 9, 18  # SHT_...
ALLOC = 2  # SHF_ALLOC: a part of memory when the program runs
_LAST, _DEBUG = 0, 21  # DT_...; linkers write DT_DEBUG to programs only

# Lambda maps files in pages of this size, even if a segment asks for a smaller alignment.
_PAGE = 0x1000

# More than any linker writes, so that a hostile file cannot take hours: segments, sections, and the
# bytes of a name.
_SEGMENTS, _SECTIONS, _NAME = 100, 1000, 1000


class Header(NamedTuple):
    """The header of a file, after its identification; `segments` and `sections` are offsets."""

    kind: int
    machine: int
    version: int
    entry: int
    segments: int
    sections: int
    flags: int
    size: int
    segment_size: int
    segment_count: int
    section_size: int
    section_count: int
    names: int


class Segment(NamedTuple):
    """A part of a file that is loaded, or the place of one; `size` is that in the file."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    size: int
    memory: int
    align: int

    @property
    def step(self) -> int:
        """The distance by which it can move in the file, and multiples of it."""
        return max(self.align, _PAGE if self.kind == LOAD else 1)


class Section(NamedTuple):
    """A part of a file for linkers and debuggers; `name` is an offset in the section of names."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry: int

    @property
    def end(self) -> int:
        """The end of its bytes in the file."""
        return self.offset + (0 if self.kind == NOBITS else self.size)


class MalformedError(Exception):
    """A file is not as linkers write it; the text says how, after the name of the file."""


class SharedObject(NamedTuple):
    """A shared object; `names` are those of its sections."""

    content: Content
    header: Header
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    names: tuple[bytes, ...]

    @property
    def table(self) -> range:
        """The bytes of the table of segments."""
        start = self.header.segments
        return range(start, start + len(self.segments) * SEGMENT.size)


def read(content: Content) -> SharedObject | None:
    """Return a shared object of 64 bits for Lambda's processors; None for any other file.

    Raises:
        MalformedError: it is incomplete, or no linker writes such a file.

    """
    if len(content) < FIRST or not content.startswith(_IDENT):
        return None
    header = Header(*HEADER.unpack_from(content, IDENT.size))
    if header.kind != _SHARED or header.machine not in _MACHINES or not header.section_count:
        return None
    if (header.segment_size, header.section_size) != (SEGMENT.size, SECTION.size):
        raise MalformedError(_UNKNOWN)
    if header.segment_count > _SEGMENTS or header.section_count > _SECTIONS:
        raise MalformedError(_UNKNOWN)
    try:
        segments = tuple(Segment(*row) for row in _rows(content, SEGMENT, header[4], header[9]))
        sections = tuple(Section(*row) for row in _rows(content, SECTION, header[5], header[11]))
    except (struct.error, OverflowError):
        raise MalformedError(_INCOMPLETE) from None
    if _is_program(content, segments):
        return None  # it may read data of its own after the sections
    if not 0 < header.names < len(sections) or any(one.align & one.align - 1 for one in segments):
        raise MalformedError(_UNKNOWN)
    ends = [*(one.offset + one.size for one in segments), *(one.end for one in sections)]
    if max(ends) > len(content):
        raise MalformedError(_INCOMPLETE)
    start = sections[header.names].offset
    names = tuple(_name(content, start + one.name) for one in sections)
    return SharedObject(content, header, segments, sections, names)


_UNKNOWN, _INCOMPLETE = "has tables of an unknown form", "is not a complete file"


def _is_program(content: Content, segments: Iterable[Segment]) -> bool:
    """Tell whether the loader starts a file; one without PT_INTERP starts without a loader."""
    places = {one.kind: one for one in segments}
    if _DYNAMIC not in places or _INTERP in places:
        return True
    place = places[_DYNAMIC]
    for at in range(place.offset, min(place.offset + place.size, len(content)) - 15, _ENTRY.size):
        tag, _ = _ENTRY.unpack_from(content, at)
        if tag in {_LAST, _DEBUG}:
            return bool(tag == _DEBUG)
    return False


def _name(content: Content, start: int) -> bytes:
    name, end, _ = bytes(content[start : start + _NAME]).partition(b"\0")
    if not end:
        raise MalformedError(_UNKNOWN)
    return name


def _rows(content: Content, row: struct.Struct, start: int, count: int) -> list[tuple[int, ...]]:
    return [row.unpack_from(content, start + at * row.size) for at in range(count)]
