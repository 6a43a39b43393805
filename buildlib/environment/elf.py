"""Machine code: whether it is for the runtime's processor, C library and Python.

A wheel's tag says what it is for, and installers believe it. Here the files themselves are asked,
by the System V ABI (ELF) and the symbol versions of the GNU C library.
"""

import csv
import functools
import os
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from buildlib.errors import InstallError
from buildlib.model import File, Variant
from buildlib.runtimes import RUNTIMES, machine

# e_machine, class (2: 64 bits) and byte order (1: little-endian) of Lambda's architectures.
_MACHINES = {"x86_64": ("EM_X86_64", 2, 1), "arm64": ("EM_AARCH64", 2, 1)}


_MAGIC = b"\x7fELF"


# The smallest file that has a header, which is that of 32 bits.
_HEADER = 52


_VERNEED = 0x6FFFFFFE  # SHT_GNU_verneed


# What is loaded: executables and shared objects, not the objects that are linked to them.
_LOADED = ("ET_EXEC", "ET_DYN")


# Nine in ten files; who names machine code so cannot load it.
_TEXT = (".py", ".pyi", ".pyx", ".pxd", ".h", ".txt", ".json", ".csv", ".md", ".rst", "/METADATA")


_GLIBC = re.compile(r"GLIBC_([0-9]+)\.([0-9]+)(\.[0-9]+)*")


# "GLIBC_ABI_DT_RELR" stands for relocations that glibc reads from 2.36 on.
_RELR = ("GLIBC_ABI_DT_RELR", (2, 36))


# PEP 3149: <module>.<interpreter>-<version><flags>-<platform>.so
_TAGGED = re.compile(r"(?P<module>[^/.]+)\.(?P<tag>(cpython|pypy|graalpy)[^/]*)\.so")


_SHOWN = 10


class _Code(NamedTuple):
    """What a file of machine code is for: its machine, and the glibc that it needs at least."""

    machine: str
    bits: int
    order: int
    glibc: tuple[int, int]


def prepare() -> None:
    """Import what takes a while, so that `wrong` need not wait for it."""
    _structs(2, 1)


def find_incompatible(tree: Path, files: Sequence[File], variant: Variant) -> dict[str, str]:
    """Return what does not run on a variant's runtime: by its path, what it is and what it is not.

    `files` are those of the tree. Only those that the dynamic loader or Python could load count.
    """
    found: dict[str, str] = {}
    paths = {file.path for file in files}
    for file in files:
        path = file.path
        if path.endswith(_TEXT) or file.size < _HEADER:
            continue
        tag, others = _python(path, variant, paths)
        if tag is not None and others:
            continue  # the same module is there for this Python, too
        with open(f"{tree}{os.sep}{path}", "rb", buffering=0) as raw:
            if raw.read(4) != _MAGIC:
                continue
            code = _read(raw)
        if code is None:
            continue
        problems = [tag] if tag else []
        problems += _problems(code, variant)
        if problems:
            found[path] = "; ".join(problems)
    return found


def _python(path: str, variant: Variant, paths: set[str]) -> tuple[str | None, bool]:
    """Return what is wrong with the tag in a file's name, and whether a right one is beside it."""
    folder, _, name = path.rpartition("/")
    match = _TAGGED.fullmatch(name)
    if match is None:
        return None, False
    right = f"cpython-{variant.python.replace('.', '')}"
    platform = f"{machine(variant.architecture)}-linux-gnu"
    if match["tag"] in {right, f"{right}-{platform}"}:
        return None, False
    stem = f"{folder}/{match['module']}" if folder else match["module"]
    beside = (f"{stem}.{right}-{platform}.so", f"{stem}.{right}.so", f"{stem}.abi3.so")
    text = f"is for {match['tag']}, which Python {variant.python} does not import"
    return text, any(other in paths for other in (*beside, f"{stem}.so"))


def _problems(code: _Code, variant: Variant) -> list[str]:
    runtime = RUNTIMES[variant.python]
    if (code.machine, code.bits, code.order) != _MACHINES[variant.architecture]:
        name = code.machine.removeprefix("EM_")
        return [f"is machine code for {name}, the runtime is {variant.architecture}"]
    if code.glibc > runtime.glibc:
        needed, there = (".".join(map(str, version)) for version in (code.glibc, runtime.glibc))
        return [f"needs glibc {needed}, {runtime.system} has {there}"]
    return []


def _read(stream: BinaryIO) -> _Code | None:
    """Return what a file of machine code is for; None if it cannot be loaded anyway."""
    from elftools.common.exceptions import ELFError  # see _structs
    from elftools.construct import ConstructError

    ident = stream.read(2)
    if len(ident) < 2 or ident[0] not in {1, 2} or ident[1] not in {1, 2}:  # noqa: PLR2004
        return None
    structs = _structs(ident[0], ident[1])
    try:
        header = _parse(structs.Elf_Ehdr, stream, 0)
        if header["e_type"] not in _LOADED:
            return None
        glibc = max(_versions(structs, header, stream, ident[1]), default=(0, 0))
    except (ELFError, ConstructError, OSError, ValueError, OverflowError, struct.error):
        return None
    return _Code(str(header["e_machine"]), ident[0], ident[1], glibc)


@functools.cache
def _structs(bits: int, order: int) -> Any:  # noqa: ANN401 - pyelftools has no type hints
    """Return the structures of ELF files; making them for each file would take longer than all."""
    # 20 ms, and only needed where machine code was installed
    from elftools.elf.structs import ELFStructs

    structs = ELFStructs(little_endian=order == 1, elfclass=32 * bits)
    structs.create_basic_structs()
    structs.create_advanced_structs()
    return structs


def _parse(structure: Any, stream: BinaryIO, offset: int) -> Any:  # noqa: ANN401
    stream.seek(offset)
    return structure.parse_stream(stream)


def _versions(
    structs: Any,  # noqa: ANN401
    header: Mapping[str, Any],
    stream: BinaryIO,
    order: int,
) -> Iterable[tuple[int, int]]:
    """Yield the versions of glibc whose symbols a file needs."""
    size = header["e_shentsize"]
    stream.seek(header["e_shoff"])
    table = stream.read(size * header["e_shnum"])
    kinds = [table[at + 4 : at + 8] for at in range(0, len(table), size or 1)]
    wanted = struct.pack("<I" if order == 1 else ">I", _VERNEED)
    if wanted not in kinds:
        return
    section = _parse(structs.Elf_Shdr, stream, header["e_shoff"] + size * kinds.index(wanted))
    names = _parse(structs.Elf_Shdr, stream, header["e_shoff"] + size * section["sh_link"])
    at = section["sh_offset"]
    for _ in range(section["sh_info"]):
        library = _parse(structs.Elf_Verneed, stream, at)
        entry = at + library["vn_aux"]
        for _ in range(library["vn_cnt"]):
            version = _parse(structs.Elf_Vernaux, stream, entry)
            stream.seek(names["sh_offset"] + version["vna_name"])
            name = stream.read(64).partition(b"\0")[0].decode("ascii", "replace")
            if match := _GLIBC.fullmatch(name):
                yield int(match[1]), int(match[2])
            elif name == _RELR[0]:
                yield _RELR[1]
            entry += version["vna_next"]
        at += library["vn_next"]


def raise_if_any(tree: Path, problems: Mapping[str, str], variant: Variant) -> None:
    """Stop if anything in the tree does not run on a variant's runtime.

    Raises:
        InstallError: with the package, the file, what it is, what the runtime has, and what to do.

    """
    if not problems:
        return
    function, runtime = variant.function, RUNTIMES[variant.python]
    owners = _owners(tree, set(problems))
    lines = [f"  {owners.get(path, 'no package')}: {path} {problems[path]}" for path in problems]
    if len(lines) > _SHOWN + 1:
        lines[_SHOWN:] = [f"  and {len(lines) - _SHOWN} more files"]
    if function.docker:
        advice = (
            "Build it for the runtime: in an image with its glibc and its Python, such as "
            f"{runtime.image} ('docker: image:'), and check the paths in 'docker: libraries:'."
        )
    else:
        advice = (
            "The tag of that wheel does not say what is in it. Ask for another release in "
            f"{function.requirements}, or say 'install: docker' for this lambda, to build it "
            "inside the AWS image."
        )
    glibc = ".".join(map(str, runtime.glibc))
    raise InstallError(
        f"lambda '{function.name}': not all of what was installed runs on Python {variant.python} "
        f"on {variant.architecture} ({runtime.system}, glibc {glibc}):\n"
        + "\n".join(lines)
        + f"\n{advice} A file that is never loaded in Lambda can be named in 'exclude'.",
        "machine-code",
    )


def _owners(tree: Path, paths: set[str]) -> dict[str, str]:
    """Return the distributions, with their versions, that the files belong to by their RECORDs."""
    owners: dict[str, str] = {}
    for record in sorted(tree.glob("*.dist-info/RECORD")):
        label = record.parent.name.removesuffix(".dist-info").replace("-", " ")
        with record.open(encoding="utf-8", newline="") as stream:
            owners |= {row[0]: label for row in csv.reader(stream) if row and row[0] in paths}
    return owners
