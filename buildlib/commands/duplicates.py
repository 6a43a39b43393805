"""Shared objects that a ZIP has more than once: the same file, or builds of several packages.

A ZIP has regular files only (docs/explanation/byte-contract.md), so a second path is a second copy.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from buildlib.archive.reader import Member, ZipReader
from buildlib.environment.libraries import Code

_SHARED = re.compile(r"\.so([.][0-9]+)*")

# auditwheel copies a library into `<name>.libs/`, with a part of its digest in its name.
_GRAFTED = re.compile(r"(?:.*/)?[^/]+\.libs/(lib[^/]+?)(?:-[0-9a-f]{8,})*(\.so[.0-9]*)")


class Duplicate(NamedTuple):
    """Paths of one library, sorted, and the bytes that all but the largest take.

    `is_same` tells whether they have the same content. `spare` are those that no machine code in
    the ZIP loads, since it names another one of them.
    """

    paths: tuple[str, ...]
    zipped: int
    unzipped: int
    is_same: bool
    spare: tuple[str, ...] = ()


def find(path: Path) -> list[Duplicate]:
    """Return the libraries that a ZIP has more than once, those with the most bytes first."""
    archive = ZipReader(path)
    shared = [one for one in archive.members if _SHARED.search(one.name) and one.size]
    same: dict[str, list[Member]] = {}
    for members in _groups((str(one.size), one) for one in shared):
        for one in members:
            digest = hashlib.sha256(archive.content(one) or b"").hexdigest()
            same.setdefault(digest, []).append(one)
    found = [_duplicate(members, is_same=True) for members in same.values() if len(members) > 1]
    if found:
        found = _with_spare(found, archive, shared)
    known = {frozenset(one.paths) for one in found}
    grafted = ((_GRAFTED.fullmatch(one.name), one) for one in shared)
    for members in _groups((match[1], one) for match, one in grafted if match):
        builds = _duplicate(members, is_same=False)
        is_one_package = len({path.rpartition("/")[0] for path in builds.paths}) == 1
        if not is_one_package and frozenset(builds.paths) not in known:
            found.append(builds)
    return sorted(found, key=lambda one: (-one.unzipped, one.paths))


def _groups(pairs: Iterable[tuple[str, Member]]) -> list[list[Member]]:
    """Return the members with equal keys, of which there are several."""
    by_key: dict[str, list[Member]] = {}
    for key, member in pairs:
        by_key.setdefault(key, []).append(member)
    return [members for members in by_key.values() if len(members) > 1]


def _duplicate(members: Iterable[Member], *, is_same: bool) -> Duplicate:
    _, *others = sorted(members, key=lambda one: (-one.size, -one.compressed_size, one.name))
    paths = tuple(sorted(one.name for one in members))
    zipped = sum(one.compressed_size for one in others)
    return Duplicate(paths, zipped, sum(one.size for one in others), is_same)


def _with_spare(
    found: Iterable[Duplicate], archive: ZipReader, shared: Iterable[Member]
) -> list[Duplicate]:
    from buildlib.environment import elf  # with a parser, where there are duplicates

    codes: dict[str, Code] = {}
    for one in shared:
        if code := elf.code(archive.content(one) or b""):
            codes[one.name] = code
    needed = {name for code in codes.values() for name in code.needed}
    return [one._replace(spare=_spare(one, codes, needed)) for one in found]


def _spare(one: Duplicate, codes: Mapping[str, Code], needed: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of a library under other names than the loader looks for."""
    soname = codes[one.paths[0]].soname if one.paths[0] in codes else ""
    folders = {path.rpartition("/")[0] for path in one.paths}
    names = {path: path.rpartition("/")[2] for path in one.paths}
    if not soname or len(folders) > 1 or soname not in names.values():
        return ()
    return tuple(path for path, name in names.items() if name != soname and name not in needed)
