"""Machine code is judged by what is in it, not by the tag of its wheel."""

import io
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buildlib.environment import elf
from buildlib.errors import InstallError
from buildlib.model import File
from tests import elf_files
from tests.unit.conftest import variant, write

X86_64, AARCH64, I386, PPC64 = 62, 183, 3, 21


def shared_object(
    machine: int = X86_64, versions: tuple[str, ...] = ("GLIBC_2.2.5",), kind: int = 3
) -> bytes:
    """Return an ELF file with the sections that say which versions of symbols it needs."""
    names = b"\0libc.so.6\0" + b"".join(name.encode() + b"\0" for name in versions)
    needs = struct.pack("<HHIII", 1, len(versions), 1, 16, 0)
    for number, name in enumerate(versions):
        last = number == len(versions) - 1
        offset = names.index(b"\0" + name.encode() + b"\0") + 1
        needs += struct.pack("<IHHII", 0, 0, 2, offset, 0 if last else 16)
    start = 64
    table = start + len(names) + len(needs)
    sections = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 3, 0, 0, start, len(names), 0, 0, 1, 0),
        (0, 0x6FFFFFFE, 0, 0, start + len(names), len(needs), 1, 1, 4, 0),
    ]
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 1)
    return header + names + needs + b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in sections)


def wrong(
    tree: Path, contents: dict[str, bytes], python: str = "3.13", architecture: str = "x86_64"
) -> dict[str, str]:
    """Return what is wrong with these files on a runtime."""
    write(tree, dict(contents))
    files = [File(path, "", len(content)) for path, content in contents.items()]
    return elf.find_incompatible(tree, files, variant(python, architecture))


@pytest.mark.parametrize(
    ("machine", "architecture", "text"),
    [
        (X86_64, "x86_64", None),
        (AARCH64, "arm64", None),
        (AARCH64, "x86_64", "is machine code for AARCH64, the runtime is x86_64"),
        (X86_64, "arm64", "is machine code for X86_64, the runtime is arm64"),
        (I386, "x86_64", "is machine code for 386, the runtime is x86_64"),
        (PPC64, "arm64", "is machine code for PPC64, the runtime is arm64"),
    ],
)
def test_machine(tmp_path: Path, machine: int, architecture: str, text: str | None) -> None:
    """The machine in the header must be the runtime's."""
    found = wrong(tmp_path, {"a/b.so": shared_object(machine)}, architecture=architecture)
    assert found.get("a/b.so") == text


@pytest.mark.parametrize(
    ("python", "versions", "text"),
    [
        ("3.13", ("GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.4"), None),
        ("3.13", ("GLIBC_2.2.5", "GLIBC_2.35"), "needs glibc 2.35, Amazon Linux 2023 has 2.34"),
        ("3.12", ("GLIBC_2.100",), "needs glibc 2.100, Amazon Linux 2023 has 2.34"),
        ("3.11", ("GLIBC_2.26",), None),
        ("3.11", ("GLIBC_2.27",), "needs glibc 2.27, Amazon Linux 2 has 2.26"),
        ("3.13", ("GLIBC_ABI_DT_RELR",), "needs glibc 2.36, Amazon Linux 2023 has 2.34"),
        ("3.13", ("GLIBC_PRIVATE", "GCC_3.0", "GLIBCXX_3.4.99"), None),
    ],
)
def test_glibc(tmp_path: Path, python: str, versions: tuple[str, ...], text: str | None) -> None:
    """The highest version of glibc's symbols that is needed must be in the runtime."""
    found = wrong(tmp_path, {"lib/x.so.1": shared_object(versions=versions)}, python)
    assert found.get("lib/x.so.1") == text


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("x.cpython-313-x86_64-linux-gnu.so", True),
        ("x.cpython-313.so", True),
        ("x.abi3.so", True),
        ("x.so", True),
        ("libx-1234.so.1.2", True),
        ("libx.cpython.so.2", True),
        ("x.cpython-312-x86_64-linux-gnu.so", False),
        ("x.cpython-313t-x86_64-linux-gnu.so", False),
        ("x.cpython-313-aarch64-linux-gnu.so", False),
        ("x.cpython-313-x86_64-linux-musl.so", False),
        ("x.pypy311-pp73-x86_64-linux-gnu.so", False),
    ],
)
def test_python(tmp_path: Path, name: str, good: bool) -> None:
    """Only the tags that the runtime's Python imports are right (PEP 3149)."""
    found = wrong(tmp_path, {f"pkg/{name}": shared_object()})
    tag = name.removeprefix("x.").removesuffix(".so")
    text = f"is for {tag}, which Python 3.13 does not import"
    assert found == ({} if good else {f"pkg/{name}": text})


def test_several_pythons_in_one_wheel(tmp_path: Path) -> None:
    """A module for other Pythons is no problem where one for this Python is beside it."""
    modules = {f"x.cpython-3{n}-x86_64-linux-gnu.so": shared_object() for n in (12, 13, 14)}
    assert wrong(tmp_path, modules) == {}
    assert wrong(tmp_path / "other", {"x.pypy39-pp73.so": shared_object(AARCH64),
                                      "x.abi3.so": shared_object()}) == {}  # fmt: skip


def test_all_that_is_wrong_with_one_file(tmp_path: Path) -> None:
    """A file can be wrong in two ways."""
    name = "x.cpython-312-aarch64-linux-gnu.so"
    assert wrong(tmp_path, {name: shared_object(AARCH64)})[name] == (
        "is for cpython-312-aarch64-linux-gnu, which Python 3.13 does not import; "
        "is machine code for AARCH64, the runtime is x86_64"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x7fELF", b"\x7fELF" + bytes(100), b"\x7fELF\x02\x01" + b"\xff" * 100,
        b"#!/bin/sh\n" * 20, shared_object()[:70], shared_object(AARCH64, kind=1),
        shared_object()[:40] + b"\xff" * 8 + shared_object()[48:],
    ],
    ids=["empty", "magic", "zeros", "noise", "script", "cut", "object", "no sections"],
)  # fmt: skip
def test_what_is_not_loaded(tmp_path: Path, content: bytes) -> None:
    """What is no whole executable or shared object, as in a package's test data, is no problem."""
    assert wrong(tmp_path, {"data/x.bin": content}) == {}


def test_lists_that_lead_back_to_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file whose lists have no end is read for a short while only."""
    content = bytearray(shared_object())
    (table,) = struct.unpack_from("<Q", content, 40)
    struct.pack_into("<I", content, table + 2 * 64 + 44, 0xFFFFFFFF)  # libraries, each the first
    struct.pack_into("<H", content, content.index(struct.pack("<HHI", 1, 1, 1)) + 2, 0)
    parse, left = elf._parse, iter(range(100_000))  # noqa: SLF001 - to count

    def counted(*arguments: Any) -> Any:  # noqa: ANN401
        next(left)
        return parse(*arguments)

    monkeypatch.setattr(elf, "_parse", counted)
    assert wrong(tmp_path, {"x.so": bytes(content)}) == {}
    assert next(left) > 1000  # the list was followed


@pytest.mark.parametrize("table", ["sections", "libraries"])
def test_sizes_beyond_the_file(tmp_path: Path, table: str) -> None:
    """The sizes in a damaged file reserve no memory: reading one has a limit for each part."""
    content = bytearray(elf_files.make())
    (start,) = struct.unpack_from("<Q", content, 40)
    if table == "sections":
        struct.pack_into("<HH", content, 58, 0xFFFF, 0xFFFF)
    else:  # `.dynamic`, the second section
        struct.pack_into("<Q", content, start + 2 * 64 + 32, 1 << 45)
    asked = []

    class Stream(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read(min(size or 0, 1 << 20)) or b""

    path = tmp_path / "x.so"
    path.write_bytes(content)
    with Stream(path) as stream:
        stream.seek(4)
        elf._read(stream)  # noqa: SLF001 - a file without a buffer
    assert max(size or 0 for size in asked) <= 64 * 0xFFFF


def test_a_long_list_of_libraries() -> None:
    """A damaged file that needs billions of libraries takes no more memory than any other one."""
    content = elf_files.make((*elf_files.dynamic(needed=("libc.so.6",) * 50_000), elf_files.TEXT))
    found = elf.code(content)
    assert found is not None
    assert len(found.needed) <= 10_000


def test_big_endian_and_32_bits(tmp_path: Path) -> None:
    """A header of another class or byte order is read as such."""
    header = b"\x7fELF\x01\x02\x01" + bytes(9)
    header += struct.pack(">HHIIIIIHHHHHH", 3, 20, 1, 0, 0, 52, 0, 52, 0, 0, 40, 0, 0)
    found = wrong(tmp_path, {"x.so": header + bytes(40)})
    assert found == {"x.so": "is machine code for PPC, the runtime is x86_64"}


def test_message(tmp_path: Path) -> None:
    """The message names the package, the file, what it is, what the runtime has, and what to do."""
    name = "pkg/x.so"
    write(tmp_path, {"my_pkg-1.2.dist-info/RECORD": f"{name},,\n", name: b""})
    problems = {name: "needs glibc 2.39", "other.so": "is something else"}
    problems |= {f"lib/{number}.so": "is wrong" for number in range(20)}
    with pytest.raises(InstallError) as error:
        elf.raise_if_any(tmp_path, problems, variant(requirements="lambdas/api/requirements.txt"))
    lines = str(error.value).splitlines()
    assert lines[0] == (
        "lambda 'api': installed files that cannot run on Python 3.13 on x86_64 "
        "(Amazon Linux 2023, glibc 2.34):"
    )
    assert lines[1:3] == [
        "  my_pkg 1.2: pkg/x.so needs glibc 2.39",
        "  no package: other.so is something else",
    ]
    assert lines[-2] == "  and 12 more files"
    assert "lambdas/api/requirements.txt, or set 'install: docker'" in lines[-1]
    assert "'exclude'" in lines[-1]
    elf.raise_if_any(tmp_path, {}, variant())


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"), reason="no gcc that makes ELF files"
)
def test_what_a_compiler_makes(tmp_path: Path) -> None:
    """Shared objects that a linker made are read alike: one needs a glibc that is too new."""
    write(
        tmp_path,
        {
            "libc.c": "int later(void) { return 1; }\n",
            "libc.map": "GLIBC_2.39 { global: later; local: *; };\n",
            "x.c": "int later(void); int x(void) { return later(); }\n",
            "y.c": '#include <stdio.h>\nint y(void) { return puts("y"); }\n',
        },
    )
    shared = ["gcc", "-shared", "-fPIC"]
    for command in (
        [*shared, "-nostdlib", "-Wl,-soname,libc.so.6", "-Wl,--version-script=libc.map",
         "-o", "libc.so.6", "libc.c"],
        [*shared, "-nostdlib", "-o", "x.so", "x.c", "./libc.so.6"],
        [*shared, "-o", "y.so", "y.c"],
    ):  # fmt: skip
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    files = [File(name, "", (tmp_path / name).stat().st_size) for name in ("x.so", "y.so")]
    ours = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout
    architecture = "arm64" if ours.strip() == "aarch64" else "x86_64"
    found = elf.find_incompatible(tmp_path, files, variant(architecture=architecture))
    assert found == {"x.so": "needs glibc 2.39, Amazon Linux 2023 has 2.34"}
