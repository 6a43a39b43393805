"""Read the parts of a shared object: its segments and sections (System V ABI, "Object Files")."""

import struct
from typing import NamedTuple

IDENT = struct.Struct("<16s")
HEADER = struct.Struct("<HHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")

# Bytes of the header with its identification.
FIRST = IDENT.size + HEADER.size

# 64 bits and little-endian, ET_DYN, and the processors of Lambda: EM_X86_64 and EM_AARCH64.
_IDENT, _SHARED, _MACHINES = b"\x7fELF\x02\x01", 3, (62, 183)
LOAD, _DYNAMIC, _INTERP = 1, 2, 3  # PT_...
NULL, SYMTAB, STRTAB, RELA, NOBITS, REL, SHNDX = 0, 2, 3, 4, 8, 9, 18  # SHT_...
ALLOC = 2  # SHF_ALLOC: a part of memory when the program runs


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

    content: bytes
    header: Header
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    names: tuple[bytes, ...]

    @property
    def table(self) -> range:
        """The bytes of the table of segments."""
        start = self.header.segments
        return range(start, start + len(self.segments) * SEGMENT.size)


def read(content: bytes) -> SharedObject | None:
    """Return a shared object of 64 bits for Lambda's processors; None for any other file.

    Raises:
        MalformedError: it is incomplete.

    """
    if len(content) < FIRST or not content.startswith(_IDENT):
        return None
    header = Header(*HEADER.unpack_from(content, IDENT.size))
    if header.kind != _SHARED or header.machine not in _MACHINES or not header.section_count:
        return None
    if header.segment_size != SEGMENT.size or header.section_size != SECTION.size:
        raise MalformedError(_UNKNOWN)
    try:
        segments = tuple(Segment(*row) for row in _rows(content, SEGMENT, header[4], header[9]))
        sections = tuple(Section(*row) for row in _rows(content, SECTION, header[5], header[11]))
    except (struct.error, OverflowError):
        raise MalformedError(_INCOMPLETE) from None
    kinds = {one.kind for one in segments}
    if _DYNAMIC not in kinds or _INTERP in kinds:
        return None  # a program, which may read data of its own after the sections
    if not 0 < header.names < len(sections):
        raise MalformedError(_UNKNOWN)
    ends = [*(one.offset + one.size for one in segments), *(one.end for one in sections)]
    if max(ends) > len(content):
        raise MalformedError(_INCOMPLETE)
    texts = content[sections[header.names].offset : sections[header.names].end]
    names = tuple(texts[one.name :].partition(b"\0")[0] for one in sections)
    return SharedObject(content, header, segments, sections, names)


_UNKNOWN, _INCOMPLETE = "has tables of an unknown form", "is not a complete file"


def _rows(content: bytes, row: struct.Struct, start: int, count: int) -> list[tuple[int, ...]]:
    return [row.unpack_from(content, start + at * row.size) for at in range(count)]
