"""`lambdas cache`: the room that build/ and the machine's cache take, and how to get it back."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.files import atomic, running
from buildlib.project.project import Project
from buildlib.steps import tidy


class Cache(NamedTuple):
    """A folder that may be removed at any time; `size` is in bytes."""

    name: str
    place: str
    size: int
    purpose: str


def measure(project: Project) -> list[Cache]:
    """Return the caches of a repository, with the room that they take."""
    return [
        Cache(name, _shown(project, path), _size(path), purpose)
        for name, path, purpose in _caches(project)
    ]


def prune(project: Project, *, everything: bool = False) -> int:
    """Remove entries that no current input uses, or everything; return the freed bytes."""
    folders = {path for _, path, _ in _caches(project)}
    before = sum(map(_size, folders))
    if everything:
        if not running.is_alone(project.layout.running):
            return 0
        for folder in folders:
            atomic.remove(folder)
    else:
        tidy.evict(project, spare=0)
        project.cache.evict()
    return before - sum(map(_size, folders))


def _caches(project: Project) -> Iterator[tuple[str, Path, str]]:
    layout = project.layout
    yield "environments", layout.environments, "installed dependencies"
    yield "staged trees", layout.build / "stage", "trees of the ZIPs"
    yield "downloads", layout.build / "files", "files of 'files'"
    yield "builds", layout.sdist_cache, "packages built from source"
    cache = project.cache
    yield "compressed files", cache.packs.folder, "the files of each package, compressed"
    yield "ZIPs", cache.store.folder, "finished ZIPs by their inputs"


def _shown(project: Project, path: Path) -> str:
    try:
        return project.layout.relative(path)
    except ValueError:
        return str(path)


def _size(folder: Path) -> int:
    """Return the sizes of all files in a folder; of a file with several links, a share."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(path, name))
                total += status.st_size // max(1, status.st_nlink)
    return total
