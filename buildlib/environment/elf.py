"""Check that machine code is for the runtime's processor, C library and Python.

Installers trust a wheel's tag. This module reads the files themselves: ELF headers (System V ABI)
and the symbol versions of the GNU C library.
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


# Bytes of the smallest ELF header, the 32-bit one.
_HEADER = 52


_VERNEED = 0x6FFFFFFE  # SHT_GNU_verneed


# File types that the loader opens: executables and shared objects, not relocatable objects.
_LOADED = ("ET_EXEC", "ET_DYN")


# Suffixes that the loader never opens: 90 % of files.
_TEXT = (".py", ".pyi", ".pyx", ".pxd", ".h", ".txt", ".json", ".csv", ".md", ".rst", "/METADATA")


_GLIBC = re.compile(r"GLIBC_([0-9]+)\.([0-9]+)(\.[0-9]+)*")


# The version "GLIBC_ABI_DT_RELR" marks relocations that glibc supports since 2.36.
_RELR = ("GLIBC_ABI_DT_RELR", (2, 36))


# PEP 3149: <module>.<interpreter>-<version><flags>-<platform>.so
_TAGGED = re.compile(r"(?P<module>[^/.]+)\.(?P<tag>(cpython|pypy|graalpy)[^/]*)\.so")


_SHOWN = 10


class _Code(NamedTuple):
    """The target of a machine-code file: `e_machine`, class, byte order, and minimum glibc."""

    machine: str
    bits: int
    order: int
    glibc: tuple[int, int]


def prepare() -> None:
    """Import the slow parts ahead of `find_incompatible`."""
    _structs(2, 1)


def find_incompatible(tree: Path, files: Sequence[File], variant: Variant) -> dict[str, str]:
    """Return the files that a variant's runtime cannot load: path to problem.

    `files` are the files of `tree`. Files that neither the dynamic loader nor Python could load are
    ignored.
    """
    incompatible: dict[str, str] = {}
    paths = {file.path for file in files}
    for file in files:
        path = file.path
        if path.endswith(_TEXT) or file.size < _HEADER:
            continue
        tag_problem, has_sibling = _check_tag(path, variant, paths)
        if tag_problem is not None and has_sibling:
            continue  # the tree has the same module for this Python, too
        with open(f"{tree}{os.sep}{path}", "rb", buffering=0) as raw:
            if raw.read(4) != _MAGIC:
                continue
            code = _read(raw)
        if code is None:
            continue
        problems = [tag_problem] if tag_problem else []
        problems += _problems(code, variant)
        if problems:
            incompatible[path] = "; ".join(problems)
    return incompatible


def _check_tag(path: str, variant: Variant, paths: set[str]) -> tuple[str | None, bool]:
    """Return the problem with the tag in a file's name, and whether a compatible sibling exists.

    A sibling is the same module in the same folder, under a name that this Python imports.
    """
    folder, _, name = path.rpartition("/")
    match = _TAGGED.fullmatch(name)
    if match is None:
        return None, False
    right = f"cpython-{variant.python.replace('.', '')}"
    platform = f"{machine(variant.architecture)}-linux-gnu"
    if match["tag"] in {right, f"{right}-{platform}"}:
        return None, False
    stem = f"{folder}/{match['module']}" if folder else match["module"]
    suffixes = (f"{right}-{platform}.so", f"{right}.so", "abi3.so", "so")
    problem = f"is for {match['tag']}, which Python {variant.python} does not import"
    return problem, any(f"{stem}.{suffix}" in paths for suffix in suffixes)


def _problems(code: _Code, variant: Variant) -> list[str]:
    runtime = RUNTIMES[variant.python]
    if (code.machine, code.bits, code.order) != _MACHINES[variant.architecture]:
        name = code.machine.removeprefix("EM_")
        return [f"is machine code for {name}, the runtime is {variant.architecture}"]
    if code.glibc > runtime.glibc:
        needed, present = (".".join(map(str, version)) for version in (code.glibc, runtime.glibc))
        return [f"needs glibc {needed}, {runtime.system} has {present}"]
    return []


def _read(stream: BinaryIO) -> _Code | None:
    """Return the target of a machine-code file; None if nothing could load it anyway."""
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
    """Return the structures of ELF files, cached: creating them takes longer than all the rest."""
    # 20 ms, and needed only if machine code was installed
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
    """Yield the glibc versions that a file needs symbols of, as (major, minor)."""
    size = header["e_shentsize"]
    stream.seek(header["e_shoff"])
    table = stream.read(size * header["e_shnum"])
    kinds = [table[at + 4 : at + 8] for at in range(0, len(table), size or 1)]
    verneed = struct.pack("<I" if order == 1 else ">I", _VERNEED)
    if verneed not in kinds:
        return
    section = _parse(structs.Elf_Shdr, stream, header["e_shoff"] + size * kinds.index(verneed))
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
    """Raise if `problems`, as `find_incompatible` returns them, has any.

    Raises:
        InstallError: with each file, its package and its problem, and the remedy.

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
            "The wheel's tag does not match its content. Require another release in "
            f"{function.requirements}, or set 'install: docker' for this lambda, to build the "
            "package inside the AWS image."
        )
    glibc = ".".join(map(str, runtime.glibc))
    raise InstallError(
        f"lambda '{function.name}': installed files that cannot run on Python {variant.python} "
        f"on {variant.architecture} ({runtime.system}, glibc {glibc}):\n"
        + "\n".join(lines)
        + f"\n{advice} If Lambda never loads a file, name it in 'exclude'.",
        "machine-code",
    )


def _owners(tree: Path, paths: set[str]) -> dict[str, str]:
    """Return the distribution and version that owns each file, from the RECORDs."""
    owners: dict[str, str] = {}
    for record in sorted(tree.glob("*.dist-info/RECORD")):
        label = record.parent.name.removesuffix(".dist-info").replace("-", " ")
        with record.open(encoding="utf-8", newline="") as stream:
            owners |= {row[0]: label for row in csv.reader(stream) if row and row[0] in paths}
    return owners
