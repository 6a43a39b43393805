"""A part of a repository: some functions, and just the files that they are built from."""

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from buildlib.manifest import functions as declared
from buildlib.model import Function
from buildlib.project.project import Project

# Files in the root with settings of package indexes.
_SETTINGS = ("uv.toml", "pyproject.toml")


def files(project: Project, function: Function) -> set[str]:
    """Return the files that a function is built from, and those with settings of indexes."""
    paths = {origin.path for origin in project.sources(function)}
    return paths | settings(project, function)


def settings(project: Project, function: Function) -> set[str]:
    """Return the files of `files` that are in no ZIP: requirements, locks, settings of indexes."""
    requirements = project.requirements(function)
    paths = set(requirements.files) if requirements is not None else set()
    if requirements is not None and function.lockfile:
        paths.add(function.lockfile)
    root = project.layout.root
    return paths | {name for name in _SETTINGS if (root / name).is_file()}


def wheel_folders(project: Project, function: Function) -> Iterator[str]:
    """Yield the folders in the repository in which packages are looked for (--find-links)."""
    requirements = project.requirements(function)
    for index in requirements.indexes if requirements else ():
        path = Path(index)
        if path.is_absolute() and path.is_dir() and path.is_relative_to(project.layout.root):
            yield project.layout.relative(path)


def manifest(project: Project, functions: Collection[Function]) -> dict[str, Any]:
    """Return a manifest of functions with their layers, and of those that share their locks.

    The latter decide for which targets a lock must hold, and have no content here.
    """
    whole = {one.name for function in functions for one in project.with_layers(function)}
    every = project.manifest.functions
    locks = {one.lockfile for one in every if one.name in whole and one.lockfile}
    found: dict[str, dict[str, Any]] = {"lambdas": {}, "layers": {}}
    for one in every:
        if one.name in whole or one.lockfile in locks:
            entry = declared.declaration(one)
            if one.name not in whole:
                entry.pop("include", None)
                entry.pop("layers", None)
            elif one.arns:
                deployed = {
                    f"deployed-{hashlib.sha256(a.encode()).hexdigest()}": a for a in one.arns
                }
                entry["layers"] = [*one.layers, *deployed]
                found["layers"] |= {name: {"arn": arn} for name, arn in deployed.items()}
            found["layers" if one.is_layer else "lambdas"][one.name] = entry
    used = {kind: entries for kind, entries in found.items() if entries}
    return {"version": 1, "defaults": {"frozen": True}, **used}


def _deployed(arn: str) -> str:
    """Return a name for a layer that is not built here, of which a function keeps only the ARN."""
    return f"deployed-{hashlib.sha256(arn.encode()).hexdigest()}"
