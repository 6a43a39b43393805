"""Remove files without an owner: those of undeclared variants, killed runs and old locks."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from buildlib import recipe
from buildlib.artifacts import index, leftovers, shard
from buildlib.errors import BuildError
from buildlib.files import atomic, running
from buildlib.layout import Layout
from buildlib.project import pinned
from buildlib.project.project import Project

# Environments that no lockfile asks for any more stay for a change of branch, the newest ones.
_SPARE = 3

# Names in a message.
_SHOWN = 20


# -- dist/, before a run -------------------------------------------------------------------------


def prune_reason(project: Project) -> str | None:
    """Return why dist/ and build/ have to be tidied; None if they are tidy."""
    if stale := undeclared(project):
        shown = [*stale[:_SHOWN], *(["and more"] if len(stale) > _SHOWN else [])]
        return f"lambdas.yaml no longer declares {', '.join(shown)}"
    if found := leftovers.find(project.layout, project.variants):
        return f"dist/ has {', '.join(path.name for path in found)}, which nothing declares"
    if running.killed(project.layout.running):
        return "an earlier run was killed"
    return None


def undeclared(project: Project) -> list[str]:
    """Return the ids in the index and in build/ that lambdas.yaml does not declare."""
    known = dict.fromkeys(project.index())
    with contextlib.suppress(OSError):
        folder = project.layout.stamp("zip", "id").parent
        names = (name.removesuffix(".json") for name in os.listdir(folder))
        known |= dict.fromkeys(name for name in names if index.is_id(name))
    return [name for name in known if name not in project.variants]


def prune(project: Project) -> None:
    """Remove undeclared artifacts, and the leftovers of killed runs."""
    layout = project.layout
    stale = undeclared(project)
    index.withdraw_all(layout, stale)
    for name in filter(index.is_id, stale):
        _forget(layout, name)
    for path in leftovers.find(layout, project.variants):
        atomic.remove(path)
    if notes := running.killed(layout.running):
        for folder in _folders(project):
            for path in running.leftovers(folder):
                atomic.remove(path)
        for note in notes:
            note.unlink(missing_ok=True)


def _folders(project: Project) -> Iterator[Path]:
    """Yield the folders in which a killed process may have left a temporary file."""
    layout = project.layout
    yield from (layout.root, layout.dist, layout.build)
    yield from {layout.root / function.source for function in project.manifest.functions}
    for folder in layout.build.glob("*/"):
        if folder not in {layout.locks, layout.running, layout.targets}:
            yield folder
    yield from layout.build.glob("bytecode/*/")


def _forget(layout: Layout, variant_id: str) -> None:
    """Remove all that build/ has of a variant, except environments."""
    for step in ("stage", "zip", "evidence", "report"):
        atomic.remove(layout.stamp(step, variant_id))
        atomic.remove(layout.dependencies(step, variant_id))
    atomic.remove(layout.log("venv", variant_id))
    atomic.remove(layout.staged(variant_id))
    atomic.remove(layout.bytecode(variant_id))
    atomic.remove(layout.starts(variant_id))


# -- build/, after a run -------------------------------------------------------------------------


def evict_reason(project: Project) -> str | None:
    """Return why files have to leave build/; None if they need not."""
    variants = project.variants.values()
    needed = {(v.function.lockfile, v.function.docker, v.python, v.architecture) for v in variants}
    if len(_environments(project.layout)) > len(needed) + _SPARE:
        return "build/env has environments of old locks"
    many = len(pinned.unused(project.layout, variants)) > _SPARE
    return "build/files has files that nothing pins" if many else None


def evict(project: Project, *, spare: int = _SPARE) -> None:
    """Remove environments of old locks, and files that nothing pins; the newest `spare` stay."""
    layout = project.layout
    present = _environments(layout)
    if running.is_alone(layout.running):  # another run may have begun with an earlier lock
        used = set(_used(project))
        old = sorted(present - used, key=lambda name: _age(layout, name), reverse=True)
        for name in old[spare:]:
            atomic.remove(layout.environments / name)
        for path in pinned.unused(layout, project.variants.values())[spare:]:
            atomic.remove(path)


def _used(project: Project) -> Iterator[str]:
    """Yield the names of the environments that the present lockfiles ask for."""
    for variant in project.variants.values():
        with contextlib.suppress(BuildError):
            key = recipe.key(project.environment_recipe(variant))
            yield project.layout.environment(key).name


def _environments(layout: Layout) -> set[str]:
    try:
        return {name for name in os.listdir(layout.environments) if "." not in name}
    except OSError:
        return set()


def _age(layout: Layout, name: str) -> int:
    try:
        return os.stat(layout.environments / name).st_mtime_ns
    except OSError:
        return 0


# -- everything ----------------------------------------------------------------------------------


def clean(project: Project) -> None:
    """Remove all of build/ but doit's state and the locks of processes."""
    layout = project.layout
    shard.remove(layout)
    kept = {layout.locks, layout.running}
    if project.cache.is_shared:
        kept.add(project.cache.folder)
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(layout.build.iterdir()):
            if path not in kept and path.name != ".doit.json":
                atomic.remove(path)
    project.forget()
