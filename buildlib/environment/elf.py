"""Check that machine code is for the runtime's processor, C library and Python.

Installers trust a wheel's tag. This module reads the files themselves: ELF headers (System V ABI)
and the symbol versions of the GNU C library.
"""

import csv
import functools
import io
import itertools
import os
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from buildlib.environment.libraries import Code
from buildlib.errors import InstallError
from buildlib.model import File, Variant
from buildlib.runtimes import RUNTIMES, machine

# e_machine, class (2: 64 bits) and byte order (1: little-endian) of Lambda's architectures.
_MACHINES = {"x86_64": ("EM_X86_64", 2, 1), "arm64": ("EM_AARCH64", 2, 1)}


MAGIC = b"\x7fELF"


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


# The names of processors, as builds of programs for several of them have them in their paths.
_PROCESSOR = re.compile(
    r"(?<![A-Za-z0-9])(x86[_-]64|amd64|x64|aarch64|arm64|armv?[5-8]\w*|arm|i[3-6]86|x86|386"
    r"|ppc64(le)?|s390x|riscv64|loong64|mips\w*)(?![A-Za-z0-9])"
)


_DYNAMIC = 6  # SHT_DYNAMIC


_NEEDED, _SONAME = 1, 14  # DT_NEEDED, DT_SONAME


_SHOWN = 10


# Entries of a list in a file, of which linkers write a few hundred at most: the list of a damaged
# file can lead back to itself, billions of times.
_MOST = 10_000


# Bytes of the largest table of sections.
_TABLE = 64 * 0xFFFF


class _Code(NamedTuple):
    """The target of a machine-code file: `e_machine`, class, byte order, and minimum glibc."""

    machine: str
    bits: int
    order: int
    glibc: tuple[int, int]
    soname: str
    needed: tuple[str, ...]


def prepare() -> None:
    """Import the slow parts ahead of `find_incompatible`."""
    _structs(2, 1)


class Inspected(NamedTuple):
    """The machine code in a tree: problems by path, and the code that the runtime can load."""

    wrong: dict[str, str]
    codes: dict[str, Code]


def inspect(tree: Path, files: Sequence[File], variant: Variant) -> Inspected:
    """Inspect the machine code among the `files` of a tree.

    Files that neither the dynamic loader nor Python could load are ignored. So is code for another
    processor that has the same file for this one: a package that picks a helper program when it
    runs ships one for each.
    """
    incompatible: dict[str, str] = {}
    codes: dict[str, Code] = {}
    elsewhere: dict[str, str] = {}
    paths = {file.path for file in files}
    for file in files:
        path = file.path
        if not may_be_code(path, file.size):
            continue
        tag_problem, has_sibling = _check_tag(path, variant, paths)
        if tag_problem is not None and has_sibling:
            continue  # the tree has the same module for this Python, too
        with open(f"{tree}{os.sep}{path}", "rb", buffering=0) as raw:
            if raw.read(4) != MAGIC:
                continue
            code = _read(raw)
        if code is None:
            continue
        problems = [tag_problem] if tag_problem else []
        problems += _problems(code, variant)
        if not problems:
            codes[path] = Code(code.soname, code.needed)
        elif tag_problem is None and code.machine != _MACHINES[variant.architecture][0]:
            elsewhere[path] = problems[0]
        else:
            incompatible[path] = "; ".join(problems)
    here = set(map(_for_any_machine, codes))
    incompatible |= {p: why for p, why in elsewhere.items() if _for_any_machine(p) not in here}
    return Inspected(incompatible, codes)


def may_be_code(path: str, size: int) -> bool:
    """Tell whether a file is worth a look at its first bytes."""
    return size >= _HEADER and not path.endswith(_TEXT)


def soname(stream: BinaryIO) -> str | None:
    """Return the name of the library that a file is, or empty; None if it is no machine code."""
    if stream.read(len(MAGIC)) != MAGIC:
        return None
    code = _read(stream)
    return code.soname if code else None


def find_incompatible(tree: Path, files: Sequence[File], variant: Variant) -> dict[str, str]:
    """Return the files that a variant's runtime cannot load: path to problem."""
    return inspect(tree, files, variant).wrong


def code(content: bytes) -> Code | None:
    """Return the name of the library that a file is, and of those it needs; None of other files."""
    if not content.startswith(MAGIC):
        return None
    stream = io.BytesIO(content)
    stream.seek(len(MAGIC))
    found = _read(stream)
    return Code(found.soname, found.needed) if found else None


def _for_any_machine(path: str) -> str:
    """Return a path with the names of processors replaced."""
    return _PROCESSOR.sub("*", path)


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
        versions = _versions(structs, header, stream, ident[1])
        glibc = max(itertools.islice(versions, _MOST), default=(0, 0))
        soname, needed = _libraries(structs, header, stream, ident)
    except (ELFError, ConstructError, OSError, ValueError, OverflowError, struct.error):
        return None
    return _Code(str(header["e_machine"]), ident[0], ident[1], glibc, soname, needed)


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


def _kinds(header: Mapping[str, Any], stream: BinaryIO) -> list[bytes]:
    """Return the types of the sections, each as its bytes in the file."""
    size = header["e_shentsize"]
    stream.seek(header["e_shoff"])
    table = stream.read(min(size * header["e_shnum"], _TABLE))
    return [table[at + 4 : at + 8] for at in range(0, len(table), size or 1)]


def _versions(
    structs: Any,  # noqa: ANN401
    header: Mapping[str, Any],
    stream: BinaryIO,
    order: int,
) -> Iterable[tuple[int, int]]:
    """Yield the glibc versions that a file needs symbols of, as (major, minor).

    Each entry of another kind gives (0, 0), so that a caller can stop.
    """
    size, kinds = header["e_shentsize"], _kinds(header, stream)
    verneed = struct.pack("<I" if order == 1 else ">I", _VERNEED)
    if verneed not in kinds:
        return
    section = _parse(structs.Elf_Shdr, stream, header["e_shoff"] + size * kinds.index(verneed))
    names = _parse(structs.Elf_Shdr, stream, header["e_shoff"] + size * section["sh_link"])
    at = section["sh_offset"]
    for _ in range(section["sh_info"]):
        yield 0, 0
        library = _parse(structs.Elf_Verneed, stream, at)
        entry = at + library["vn_aux"]
        for _ in range(library["vn_cnt"]):
            version = _parse(structs.Elf_Vernaux, stream, entry)
            stream.seek(names["sh_offset"] + version["vna_name"])
            name = stream.read(64).partition(b"\0")[0].decode("ascii", "replace")
            if match := _GLIBC.fullmatch(name):
                yield int(match[1]), int(match[2])
            else:
                yield _RELR[1] if name == _RELR[0] else (0, 0)
            entry += version["vna_next"]
        at += library["vn_next"]


def _libraries(
    structs: Any,  # noqa: ANN401
    header: Mapping[str, Any],
    stream: BinaryIO,
    ident: bytes,
) -> tuple[str, tuple[str, ...]]:
    """Return the name of the library that a file is, or empty, and of those that it needs."""
    size, kinds = header["e_shentsize"], _kinds(header, stream)
    order = "<" if ident[1] == 1 else ">"
    dynamic = struct.pack(f"{order}I", _DYNAMIC)
    if dynamic not in kinds:
        return "", ()
    section = _parse(structs.Elf_Shdr, stream, header["e_shoff"] + size * kinds.index(dynamic))
    names = _parse(structs.Elf_Shdr, stream, header["e_shoff"] + size * section["sh_link"])
    stream.seek(section["sh_offset"])
    pair = struct.Struct(f"{order}QQ" if ident[0] == 2 else f"{order}II")  # noqa: PLR2004 - 64 bits
    content = stream.read(min(section["sh_size"] // pair.size, _MOST) * pair.size)
    soname, needed = "", []
    for tag, value in pair.iter_unpack(content):
        if tag in {_NEEDED, _SONAME}:
            stream.seek(names["sh_offset"] + value)
            name = stream.read(256).partition(b"\0")[0].decode("utf-8", "replace")
            if tag == _SONAME:
                soname = name
            else:
                needed.append(name)
    return soname, tuple(needed)


def refuse_own(problems: Mapping[str, str], variant: Variant) -> None:
    """Raise if `problems`, as `inspect` returns them of a function's own files, has any.

    Raises:
        InstallError: with each file, its problem, and the remedy.

    """
    if problems:
        lines = [f"  {path} {why}" for path, why in problems.items()]
        subject = "files of its own"
        advice = "Replace each with a build for the runtime."
        raise _error(subject, lines, advice, variant)


def raise_if_any(tree: Path, problems: Mapping[str, str], variant: Variant) -> None:
    """Raise if `problems`, as `inspect` returns them of dependencies, has any.

    Raises:
        InstallError: with each file, its package and its problem, and the remedy.

    """
    if not problems:
        return
    function, runtime = variant.function, RUNTIMES[variant.python]
    owners = _owners(tree, set(problems))
    lines = [f"  {owners.get(path, 'no package')}: {path} {problems[path]}" for path in problems]
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
    subject = "installed files"
    raise _error(subject, lines, advice, variant)


def _error(subject: str, lines: list[str], advice: str, variant: Variant) -> InstallError:
    runtime = RUNTIMES[variant.python]
    if len(lines) > _SHOWN + 1:
        lines = [*lines[:_SHOWN], f"  and {len(lines) - _SHOWN} more files"]
    glibc = ".".join(map(str, runtime.glibc))
    return InstallError(
        f"{variant.function.title}: {subject} that cannot run on Python {variant.python} "
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
