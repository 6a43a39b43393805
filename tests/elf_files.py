"""ELF files for tests, made of named parts, so that every system has them without a compiler."""

import struct
from typing import NamedTuple

X86_64, AARCH64 = 62, 183
LOAD, DYNAMIC, INTERP, STACK = 1, 2, 3, 0x6474E551
PROGBITS, SYMTAB, STRTAB, RELA, NOBITS, DYNAMIC_SECTION = 1, 2, 3, 4, 8, 6
ALLOC = 2
PAGE = 0x1000


class Part(NamedTuple):
    """A section: its place in the file is that of its bytes, in their order.

    One with an address is loaded, by a segment of its own.
    """

    name: str
    content: bytes
    kind: int = PROGBITS
    address: int | None = None
    link: str = ""
    info: str = ""


DEBUG = Part(".debug_info", b"debug " * 5000)
SYMBOLS = (
    Part(".symtab", bytes(24) + b"symbols." * 600, SYMTAB, link=".strtab"),
    Part(".strtab", b"\0a_name\0" * 500, STRTAB),
)
TEXT = Part(".text", b"\xc3 the code " * 50, address=PAGE)
DATA = Part(".data", b"the data" * 100, address=0x11000 + 8)


def dynamic(
    soname: str = "", needed: tuple[str, ...] = (), *, program: bool = False
) -> tuple[Part, Part]:
    """Return the sections that name a library and those that it needs, or those of a program."""
    names, entries = b"\0", [struct.pack("<QQ", 21, 0)] if program else []
    for tag, name in [(14, soname), *((1, one) for one in needed)]:
        if name:
            entries.append(struct.pack("<QQ", tag, len(names)))
            names += name.encode() + b"\0"
    content = b"".join(entries) + bytes(16)
    return (
        Part(".dynstr", names, STRTAB, address=0x2000),
        Part(".dynamic", content, DYNAMIC_SECTION, address=0x3000, link=".dynstr"),
    )


LIBRARY = (*dynamic("libone.so"), TEXT, DATA, DEBUG, *SYMBOLS)
# As patchelf writes it: a segment of new dynamic sections behind the symbols.
PATCHED = (TEXT, DATA, DEBUG, *SYMBOLS, *dynamic("libone.so"))


def make(  # noqa: PLR0913 - each is one independent property
    parts: tuple[Part, ...] = LIBRARY,
    *,
    machine: int = X86_64,
    kind: int = 3,
    segments: tuple[int, ...] = (STACK,),
    after: bytes = b"",
    align: int = PAGE,
) -> bytes:
    """Return a file with these sections; `segments` are types of additional ones, without bytes."""
    names = b"\0" + b"".join(part.name.encode() + b"\0" for part in parts) + b".shstrtab\0"
    parts = (*parts, Part(".shstrtab", names, STRTAB))
    loaded = [part for part in parts if part.address is not None]
    dynamics = [part for part in loaded if part.kind == DYNAMIC_SECTION]
    count = len(loaded) + len(dynamics) + len(segments)
    output = bytearray(64 + 56 * count)
    rows, programs = [bytes(64)], []
    for part in parts:
        if part.address is None:
            output += bytes(-len(output) % 8)
        else:
            output += bytes((part.address - len(output)) % align)
        at, size = len(output), len(part.content)
        if part.kind != NOBITS:
            output += part.content
        rows.append(
            struct.pack(
                "<IIQQQQIIQQ",
                names.index(b"\0" + part.name.encode() + b"\0") + 1,
                part.kind,
                0 if part.address is None else ALLOC,
                part.address or 0,
                at,
                size,
                _number(parts, part.link),
                _number(parts, part.info),
                8,
                24 if part.kind in {SYMTAB, RELA} else 0,
            )
        )
        if part.address is not None:
            address = part.address
            row = struct.pack("<6Q", at, address, address, size, size, align)
            programs.append(struct.pack("<II", LOAD, 6) + row)
            if part.kind == DYNAMIC_SECTION:
                row = struct.pack("<6Q", at, address, address, size, size, 8)
                programs.append(struct.pack("<II", DYNAMIC, 6) + row)
    programs += [struct.pack("<II6Q", one, 6, 0, 0, 0, 0, 0, 16) for one in segments]
    output[64 : 64 + 56 * count] = b"".join(programs)
    output += bytes(-len(output) % 8)
    table = len(output)
    output += b"".join(rows) + after
    output[:64] = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH",
        *(kind, machine, 1, 0, 64, table, 0, 64, 56, count, 64, len(rows), len(rows) - 1),
    )
    return bytes(output)


def _number(parts: tuple[Part, ...], name: str) -> int:
    return next((at for at, part in enumerate(parts, 1) if name and part.name == name), 0)


def loaded(content: bytes) -> list[tuple[int, int, bytes]]:
    """Return the type, the address and the bytes of each segment, as a loader finds them."""
    at, count = struct.unpack_from("<Q", content, 32)[0], struct.unpack_from("<H", content, 56)[0]
    found = []
    for number in range(count):
        kind, _, offset, address, _, size, _, align = struct.unpack_from(
            "<IIQQQQQQ", content, at + 56 * number
        )
        assert (offset - address) % (align or 1) == 0 or kind != LOAD  # what glibc checks
        found.append((kind, address, content[offset : offset + size]))
    return found


def sections(content: bytes) -> dict[str, bytes]:
    """Return the bytes of each section by its name."""
    (table,) = struct.unpack_from("<Q", content, 40)
    count, names = struct.unpack_from("<2H", content, 60)
    rows = [struct.unpack_from("<IIQQQQIIQQ", content, table + 64 * at) for at in range(count)]
    texts = content[rows[names][4] :]
    return {
        texts[row[0] :].partition(b"\0")[0].decode(): content[row[4] : row[4] + row[5]]
        for row in rows
        if row[1]
    }
