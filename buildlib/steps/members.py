"""A staged tree to a ZIP: what the ZIP before it has is taken over, the rest is compressed.

Which members may be taken over is known from lists, not from the ZIP: those whose name and content
are the same, by the same rules. That it is the ZIP that was written then, is checked on the way.
"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from buildlib import contract, recipe
from buildlib.archive import compressed, hashing, writer
from buildlib.archive.previous import PreviousZip
from buildlib.environment import record
from buildlib.errors import ArchiveError
from buildlib.files import atomic, locks
from buildlib.model import CompressedMember, File, Origin, Variant, Written
from buildlib.project.project import Project
from buildlib.steps.stage import Staged, dependencies, list_of_dependencies, read_list


def write(project: Project, variant: Variant, tree: Staged, path: Path) -> Written:
    """Write the ZIP of a staged tree.

    Raises:
        ArchiveError: a staged file is not what was staged.

    """
    base, rest = _base(project, variant, tree)
    if base is not None:
        with contextlib.suppress(ArchiveError, FileNotFoundError):
            return writer.write(path, _members(project, variant, rest, reuse=[]), base)
    origins = tree.own + _others(dependencies(project, variant, tree))
    return writer.write(path, _members(project, variant, origins, reuse=_packs(project, variant)))


def zip_record(project: Project, variant: Variant, tree: Staged, path: Path) -> dict[str, Any]:
    """Return what the record of the new ZIP `path` says of it, for the ZIP after it."""
    known = atomic.read_json(project.layout.stamp("zip", variant.id))
    if not isinstance(known, dict) or known.get("dependencies") != tree.dependencies:
        atomic.write(_list(project, variant), list_of_dependencies(project, variant).read_bytes())
    return {
        "form": _form(variant),
        "crc": hashing.crc32(path),
        "own": [origin.file.path for origin in tree.own],
        "dependencies": tree.dependencies,
    }


def clean(project: Project, variant: Variant) -> None:
    """Forget what was compressed of a variant's own files, and what is in its ZIP."""
    atomic.remove(_list(project, variant))
    compressed.discard(project.layout.pack(variant.id))


def _base(
    project: Project, variant: Variant, tree: Staged
) -> tuple[PreviousZip | None, list[Origin]]:
    """Return the ZIP in dist/ as a base, if it can be one, and the files that it does not have."""
    known = atomic.read_json(project.layout.stamp("zip", variant.id))
    if not isinstance(known, dict) or known.get("form") != _form(variant):
        return None, []
    omitted, rest = set(known["own"]), list(tree.own)
    is_another = known["recipe"]["environment"] != project.environment(variant)
    if is_another or known["dependencies"] != tree.dependencies:
        before = read_list(_list(project, variant), known["dependencies"])
        if before is None:
            return None, []
        now = dependencies(project, variant, tree)
        kept = {*before} & {*now}
        if is_another:
            fresh = _unproven(project, variant, known["recipe"]["environment"])
            unread = [file for file in kept if fresh is None or file.path in fresh]
            compressed.check(_contents(project, variant, _others(unread)))
        omitted |= {file.path for file in before if file not in kept}
        rest += _others(file for file in now if file not in kept)
    return PreviousZip(
        project.layout.zip(variant.id), known.get("crc", -1), frozenset(omitted)
    ), rest


def _unproven(project: Project, variant: Variant, before: recipe.Recipe) -> set[str] | None:
    """Return the files of wheels that were not in an earlier environment; None stands for all.

    What a wheel says of its files is compared with them when they are in a ZIP for the first time.
    """
    now = project.environment(variant)
    if any(before.get(name) != now.get(name) for name in {**before, **now} if name != "packages"):
        return None
    names = {name for name, pin in now["packages"].items() if before["packages"].get(name) != pin}
    return record.files_of(project.layout.environment(recipe.key(now)) / "tree", names)


def _form(variant: Variant) -> list[object]:
    """Return all that decides about a member, besides its name and content."""
    return [contract.CONTRACT, contract.encoder(), variant.function.compression]


def _list(project: Project, variant: Variant) -> Path:
    """Return the list of the dependencies' files in a ZIP."""
    return project.layout.stamp("zip", f"{variant.id}.dependencies")


def _others(found: Iterable[File]) -> list[Origin]:
    return [Origin(file, file.path, dependency=True) for file in found]


def _packs(project: Project, variant: Variant) -> list[Path]:
    """Return the packs that may have members of dependencies, besides that of the environment."""
    known = atomic.read_json(project.layout.stamp("zip", variant.id)) or {}
    if "recipe" not in known:
        return []
    return [_pack(project, known["recipe"]["environment"])]


def _pack(project: Project, environment: recipe.Recipe) -> Path:
    return project.layout.pack(f"env-{recipe.key(environment)[:24]}")


def _contents(
    project: Project, variant: Variant, origins: Iterable[Origin]
) -> list[compressed.Content]:
    tree = f"{project.layout.staged(variant.id)}{os.sep}"
    return [compressed.Content(tree + o.file.path, o.file.sha256, o.file.size) for o in origins]


def _members(
    project: Project, variant: Variant, origins: Sequence[Origin], *, reuse: Sequence[Path]
) -> list[tuple[str, CompressedMember]]:
    """Return members for the ZIP; those of dependencies are shared by their environment."""
    contents = _contents(project, variant, origins)
    if variant.function.compression == "stored":
        return [(o.file.path, compressed.stored(c)) for o, c in zip(origins, contents, strict=True)]
    shared: list[compressed.Content] = []
    own: list[compressed.Content] = []
    for origin, content in zip(origins, contents, strict=True):
        (shared if origin.dependency else own).append(content)
    packed: dict[str, CompressedMember] = {}
    if shared:
        path = _pack(project, project.environment(variant))
        with locks.locked(project.layout.lock(path.name)):
            packed |= compressed.compressed(
                path,
                shared,
                reuse=[other for other in reuse if other != path],
                keep=True,
                digests=project.digests,
                cores=project.layout.locks,
            )
    packed |= compressed.compressed(
        project.layout.pack(variant.id),
        own,
        reuse=[],
        keep=False,
        digests=project.digests,
        cores=project.layout.locks,
    )
    return [(origin.file.path, packed[origin.file.sha256]) for origin in origins]
