"""Machine code that needs a shared library which nothing provides is known, and little else."""

import struct
from pathlib import Path

import pytest

from buildlib.environment import elf, libraries
from buildlib.environment.libraries import Code
from buildlib.model import File
from tests.unit.conftest import variant, write

X86_64, AARCH64 = 62, 183


def shared_object(*needed: str, soname: str = "", machine: int = X86_64) -> bytes:
    """Return a shared object (ELF, 64 bits) that needs these libraries."""
    names, entries = b"\0", b""
    for tag, name in [(1, one) for one in needed] + ([(14, soname)] if soname else []):
        entries += struct.pack("<QQ", tag, len(names))
        names += name.encode() + b"\0"
    entries += struct.pack("<QQ", 0, 0)
    start = 64
    table = start + len(names) + len(entries)
    sections = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 3, 0, 0, start, len(names), 0, 0, 1, 0),
        (0, 6, 0, 0, start + len(names), len(entries), 1, 0, 8, 16),
    ]
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 1)
    return header + names + entries + b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in sections)


def inspect(tree: Path, contents: dict[str, bytes], architecture: str = "x86_64") -> elf.Inspected:
    """Inspect these files on Python 3.13."""
    write(tree, dict(contents))
    files = [File(path, "", len(content)) for path, content in contents.items()]
    return elf.inspect(tree, files, variant("3.13", architecture))


def missing(tree: Path, contents: dict[str, bytes]) -> dict[str, list[str]]:
    """Return the missing libraries of these files on Python 3.13."""
    return libraries.missing(inspect(tree, contents).codes, contents, "3.13")


def test_names_are_read(tmp_path: Path) -> None:
    """The libraries that a file needs, and its own name, are those of its dynamic section."""
    code = shared_object("liba.so.1", "libc.so.6", soname="libself.so.2")
    assert inspect(tmp_path, {"x.so": code}).codes == {
        "x.so": Code("libself.so.2", ("liba.so.1", "libc.so.6"))
    }


def test_missing(tmp_path: Path) -> None:
    """A library that neither the tree nor the runtime has is missing, with all that need it."""
    needs = shared_object("libgomp.so.1", "libc.so.6", "libstdc++.so.6", "libpython3.13.so.1.0")
    assert missing(tmp_path, {"a/x.so": needs, "b/y.so": needs}) == {
        "libgomp.so.1": ["a/x.so", "b/y.so"]
    }


@pytest.mark.parametrize(
    "provider",
    [
        {"lib/libgomp.so.1": b"any"},
        {"pkg.libs/libgomp.so.1": shared_object()},
        {"pkg.libs/libgomp-a34b3233.so": shared_object(soname="libgomp.so.1")},
    ],
)
def test_provided_by_the_tree(tmp_path: Path, provider: dict[str, bytes]) -> None:
    """A library anywhere in the tree counts, under its file name or its own name."""
    assert missing(tmp_path, {"a/x.so": shared_object("libgomp.so.1"), **provider}) == {}


@pytest.mark.parametrize(
    ("python", "library", "has"),
    [
        ("3.11", "libexpat.so.1", True),
        ("3.13", "libexpat.so.1", False),
        ("3.13", "libcrypt.so.2", True),
        ("3.11", "libcrypt.so.2", False),
        ("3.12", "libpython3.13.so.1.0", False),
        ("3.13", "libGL.so.1", False),
        ("3.13", "libcuda.so.1", False),
        ("3.13", "ld-linux-x86-64.so.2", True),
    ],
)
def test_by_system(python: str, library: str, has: bool) -> None:
    """Each runtime has the libraries of its system."""
    found = libraries.missing({"x.so": Code("", (library,))}, ["x.so"], python)
    assert (found == {}) is has


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pkg/linux-x86_64/helper", "pkg/linux-aarch64/helper"),
        ("pkg/bin/helper-amd64", "pkg/bin/helper-arm64"),
        ("pkg/x64/helper.so", "pkg/arm64/helper.so"),
        ("pkg/linux_amd64/tool", "pkg/linux_aarch64/tool"),
    ],
)
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_helper_for_each_processor(
    tmp_path: Path, one: str, other: str, architecture: str
) -> None:
    """A program that is there for both processors is right on both."""
    contents = {one: shared_object(), other: shared_object(machine=AARCH64)}
    assert inspect(tmp_path, contents, architecture).wrong == {}


def test_a_mislabelled_wheel(tmp_path: Path) -> None:
    """Code for the other processor alone is wrong, whatever else is there."""
    contents = {"pkg/linux-x86_64/helper": shared_object(), "pkg/other": shared_object()}
    assert set(inspect(tmp_path, contents, "arm64").wrong) == set(contents)
    both = {"pkg/helper-x86_64": shared_object(), "pkg/tool-arm64": shared_object(machine=AARCH64)}
    assert set(inspect(tmp_path / "b", both, "arm64").wrong) == {"pkg/helper-x86_64"}
