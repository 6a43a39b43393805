"""The symbols of shared objects go, and everything that a loader reads stays."""

import importlib.util
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from buildlib.environment import elf, symbols
from tests import elf_files
from tests.elf_files import AARCH64, DATA, DEBUG, INTERP, LIBRARY, PATCHED, SYMBOLS, TEXT, Part

NOTE = Part(".comment", b"GCC: 14\0")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="loads shared objects of Linux")


@pytest.mark.parametrize("machine", [elf_files.X86_64, AARCH64])
@pytest.mark.parametrize("parts", [LIBRARY, PATCHED], ids=["linked", "patched"])
def test_cut(parts: tuple[Part, ...], machine: int) -> None:
    """Symbols and debug sections are gone; every segment has its address and its bytes."""
    before = elf_files.make(parts, machine=machine)
    after, why = symbols.cut(before)
    assert why == ""
    assert elf_files.loaded(after) == elf_files.loaded(before)
    kept = {".text": TEXT.content, ".data": DATA.content}
    found = elf_files.sections(after)
    assert found.keys() == {*kept, ".dynstr", ".dynamic", ".shstrtab"}
    assert kept.items() <= found.items()
    removed = len(DEBUG.content) + sum(len(part.content) for part in SYMBOLS)
    # A segment behind the symbols moves by whole pages.
    assert len(before) - len(after) > removed - 3 * elf_files.PAGE
    assert len(before) > len(after)


@pytest.mark.parametrize("parts", [LIBRARY, PATCHED], ids=["linked", "patched"])
def test_what_the_checks_read(parts: tuple[Part, ...]) -> None:
    """The name of a library, and those that it needs, are found as before."""
    others = (part for part in parts if not part.name.startswith(".dyn"))
    names = elf_files.dynamic("libone.so.1", ("libtwo.so", "libc.so.6"))
    content = elf_files.make((*others, *names))
    found = elf.code(symbols.cut(content).content)
    assert found == elf.code(content)
    assert found is not None
    assert (found.soname, found.needed) == ("libone.so.1", ("libtwo.so", "libc.so.6"))


def test_again() -> None:
    """A file without symbols is returned as it is."""
    once = symbols.cut(elf_files.make()).content
    assert symbols.cut(once) == (once, "")


def test_debug_sections_alone() -> None:
    """Debug sections go where there is no symbol table, and with them their relocations."""
    relocations = Part(".rela.debug_info", bytes(24) * 9, elf_files.RELA, info=".debug_info")
    compressed = Part(".zdebug_line", b"x" * 99)
    content = elf_files.make((*elf_files.dynamic(), TEXT, DEBUG, relocations, compressed))
    after = elf_files.sections(symbols.cut(content).content)
    assert after.keys() == {".dynstr", ".dynamic", ".text", ".shstrtab"}


def test_other_sections_stay() -> None:
    """Sections that are not loaded and are no symbols stay, each under its number."""
    content = elf_files.make((*elf_files.dynamic(), DEBUG, NOTE, *SYMBOLS, TEXT))
    after = symbols.cut(content).content
    assert elf_files.sections(after)[".comment"] == NOTE.content
    numbers = []
    for data in (content, after):
        table = struct.unpack_from("<Q", data, 40)[0]
        rows = (struct.unpack_from("<IIQQ", data, table + 64 * at) for at in range(8))
        numbers.append([at for at, row in enumerate(rows) if row[2] & elf_files.ALLOC])
    assert numbers[0] == numbers[1] == [1, 2, 7]  # `.text` behind the symbols among them


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF",
        b"#!/bin/sh\n" * 20,
        elf_files.make(kind=2),
        elf_files.make(kind=1),
        elf_files.make(machine=3),
        elf_files.make(segments=(INTERP,)),
        elf_files.make()[:4] + b"\1" + elf_files.make()[5:],
        elf_files.make()[:5] + b"\2" + elf_files.make()[6:],
        elf_files.make((TEXT, DATA, DEBUG, *SYMBOLS)),
        elf_files.make((*elf_files.dynamic(program=True), TEXT, DATA, DEBUG, *SYMBOLS)),
    ],
    ids=[
        *("empty", "cut", "script", "program", "relocatable", "other processor", "pie", "32 bits"),
        *("big-endian", "static", "static pie"),
    ],
)
def test_no_shared_object(content: bytes) -> None:
    """Programs may read data of their own by its place, so they stay; so does any other file."""
    assert symbols.cut(content) == (content, "")


REFUSED = {
    "has data after its last section": elf_files.make(after=b"payload"),
    "has a section '.rela.text' that needs the symbols": elf_files.make(
        (
            *LIBRARY,
            Part(".rela.text", bytes(24), elf_files.RELA, link=".symtab", info=".text"),
        )
    ),
    "is not a complete file": elf_files.make()[:-100],
    "has tables of an unknown form": elf_files.make()[:54] + b"\x20" + elf_files.make()[55:],
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused(why: str) -> None:
    """A file that cannot be cut safely stays as it is, with the reason."""
    assert symbols.cut(REFUSED[why]) == (REFUSED[why], why)


@pytest.mark.parametrize(
    "content",
    [
        elf_files.make((*LIBRARY, *(Part(f".n{at}", b"x") for at in range(1000)))),
        elf_files.make(segments=(elf_files.STACK,) * 100),
        elf_files.make((*LIBRARY, Part("." + "n" * 1000, b"x"))),
        elf_files.make(align=3 * elf_files.PAGE),
    ],
    ids=["sections", "segments", "a long name", "an alignment"],
)
def test_more_than_linkers_write(content: bytes) -> None:
    """Tables with which a hostile file could take hours, or all memory, are not followed."""
    assert symbols.cut(content) == (content, "has tables of an unknown form")


def test_small_alignment() -> None:
    """A segment moves by whole pages even if it asks for less: new versions of glibc load it."""
    content = bytearray(elf_files.make(PATCHED))
    for row in rows(content):
        struct.pack_into("<Q", content, row.place + 48, 8)
    after = symbols.cut(bytes(content)).content
    assert len(after) < len(content)
    assert [row.offset % elf_files.PAGE for row in rows(after) if row.kind == elf_files.LOAD] == [
        row.offset % elf_files.PAGE for row in rows(content) if row.kind == elf_files.LOAD
    ]


def test_data_between_sections_stays() -> None:
    """Bytes that no section names, as patchelf leaves them behind, stay in the file."""
    content = bytearray(elf_files.make(PATCHED))
    at = content.index(TEXT.content) + len(TEXT.content) + 64  # before the next segment
    assert content[at : at + 4] == bytes(4)
    content[at : at + 4] = b"left"
    after = symbols.cut(bytes(content)).content
    assert len(after) < len(content)
    assert b"left" in after


def test_old_names_for_two() -> None:
    """The names of symbols go also where linkers keep those of sections with them."""
    content = elf_files.make((*elf_files.dynamic(), TEXT, SYMBOLS[0]._replace(link=".shstrtab")))
    after = elf_files.sections(symbols.cut(content).content)
    assert ".symtab" not in after
    assert after[".text"] == TEXT.content


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("loaded", "would load other bytes"),
        ("address", "would be another file for the loader"),
        ("offset", "would have a segment out of alignment"),
        ("other section", "would load other bytes"),
    ],
)
def test_the_result_is_compared(place: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the cut is found before a file is replaced."""
    honest = symbols._without  # noqa: SLF001 - to make a mistake

    def wrong(*arguments: object) -> bytearray:
        output = honest(*arguments)  # type: ignore[arg-type]
        first = struct.unpack_from("<Q", output, 32)[0]
        at = {
            "loaded": output.index(TEXT.content),
            "address": first + 16,
            "offset": first + 8,
            "other section": output.index(NOTE.content),
        }
        output[at[place]] ^= 1
        return output

    monkeypatch.setattr(symbols, "_without", wrong)
    content = elf_files.make((*LIBRARY, NOTE))
    assert symbols.cut(content) == (content, why)


class Row(NamedTuple):
    """A row of the table of segments, at a `place` in the file."""

    place: int
    kind: int
    offset: int
    address: int
    size: int
    memory: int


def rows(content: bytes | bytearray) -> list[Row]:
    """Return the table of segments."""
    (start,), (count,) = (
        struct.unpack_from("<Q", content, 32),
        struct.unpack_from("<H", content, 56),
    )
    places = range(start, start + 56 * count, 56)
    found = ((at, struct.unpack_from("<IIQQQQQQ", content, at)) for at in places)
    return [Row(at, one[0], one[2], one[3], one[5], one[6]) for at, one in found]


def mapped(content: bytes) -> list[object]:
    """Return the bytes at each address, and their places in the pages of the file.

    The header and the table of segments, which have other offsets after a cut, count as empty.
    """
    data, table = bytearray(content), rows(content)
    for place in (range(64), *(range(row.place, row.place + 56) for row in table)):
        data[place.start : place.stop] = bytes(len(place))
    return [
        (row.address, row.memory, row.offset % 4096, data[row.offset : row.offset + row.size])
        for row in table
        if row.kind == elf_files.LOAD and row.memory
    ]


def test_damaged_files() -> None:
    """No damage ends in a traceback, or in a file that loads other bytes than before."""
    chance = random.Random(2012)  # noqa: S311 - repeatable, and no secret
    whole = elf_files.make(PATCHED)
    headers = [*range(16, 64 + 56 * 7), *range(len(whole) - 64 * 9, len(whole))]
    for _ in range(2000):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            content[chance.choice(headers)] = chance.choice([0, 1, 2, 8, 0x7F, 0xFF])
        before = bytes(content[: chance.choice([len(content), chance.randrange(len(content))])])
        after, why = symbols.cut(before)
        assert len(after) <= len(before)
        if after != before:
            assert why == ""
            at = (slice(16, 32), slice(48, 60))  # all of the header but its offsets
            assert [after[one] for one in at] == [before[one] for one in at]
            assert mapped(after) == mapped(before)


@ON_LINUX
def test_a_linked_library(tmp_path: Path) -> None:
    """A library of this machine's compiler still works, and debuggers find nothing in it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = "static int two(void) { return 2; }\nint f(void) { return two(); }\n"
    (tmp_path / "a.c").write_text(source)
    library = tmp_path / "liba.so"
    arguments = ["-g", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "a.c")]
    subprocess.run([compiler, *arguments], check=True)
    before = library.read_bytes()
    after, why = symbols.cut(before)
    assert (why, len(after) < len(before)) == ("", True)
    library.write_bytes(after)
    program = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).f())"
    arguments = [sys.executable, "-c", program, str(library)]
    assert subprocess.run(arguments, capture_output=True, check=True).stdout == b"2\n"
    names = elf_files.sections(after).keys()
    assert {".dynsym", ".text", ".eh_frame"} <= names
    assert not any(name.startswith((".debug", ".symtab")) for name in names)


@ON_LINUX
@pytest.mark.parametrize("package", ["numpy", "cryptography"])
def test_packages(package: str, tmp_path: Path) -> None:
    """Packages with libraries that auditwheel changed are imported, and every one of them loads."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    folder = Path(found.origin).parent
    for name in (package, f"{package}.libs"):
        if (folder.parent / name).is_dir():
            shutil.copytree(folder.parent / name, tmp_path / name)
    smaller, libraries = 0, []
    for path in tmp_path.rglob("*.so*"):
        content = path.read_bytes()
        after, why = symbols.cut(content)
        assert why == ""
        smaller += len(content) - len(after)
        path.unlink()
        path.write_bytes(after)
        libraries.append(str(path))
    assert libraries
    assert smaller > 100_000
    program = (
        f"import sys; sys.path.insert(0, sys.argv[1]); import ctypes, {package}; "
        f"assert {package}.__file__.startswith(sys.argv[1]); "
        "print(len([ctypes.CDLL(path) for path in sys.argv[2:]]))"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path), *libraries]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{len(libraries)}\n", "")
