"""Find files that declare dependencies, but that no lock of a function is made from."""

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from buildlib.manifest import locations

# By what a file is for: the project's own declaration, requirements of an unusual name, and locks.
_PROJECTS = ("pyproject.toml", "Pipfile", "setup.cfg", "setup.py")


_CONDA = ("environment.yml", "environment.yaml")


_PYLOCK = re.compile(r"pylock(\.[\w-]+)?\.toml")


_REQUIREMENTS = re.compile(r"requirements([-_.]\w+)*\.(txt|in)|[\w-]+[-_.]requirements\.(txt|in)")


# Parts of the names of requirements that no function runs with.
_TOOLS = re.compile(
    r"(?<![a-z])(dev|develop|development|tests?|testing|lint|docs?|ci|build|tools?)(?![a-z])"
)


class Unread(NamedTuple):
    """A file with dependencies: its path, and these as lines of a requirements file.

    With `computed`, there are others that the file does not list. `project` is the normalised name
    of the project, empty if the file names none.
    """

    path: str
    lines: tuple[str, ...]
    optional: tuple[str, ...]
    computed: bool
    project: str

    @property
    def is_requirements(self) -> bool:
        """Tell whether the file can be the value of `requirements`."""
        return is_requirements(os.path.basename(self.path))


def declares(name: str) -> bool:
    """Tell whether a file with this name declares dependencies."""
    known = name in _PROJECTS or name in locations.MADE_FROM or name in _CONDA
    return known or _PYLOCK.fullmatch(name) is not None or is_requirements(name)


def is_requirements(name: str) -> bool:
    """Tell whether a file with this name has requirements that a function could run with."""
    return _REQUIREMENTS.fullmatch(name) is not None and not _TOOLS.search(name)


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder that declare dependencies, sorted."""
    try:
        found = [name for name in os.listdir(folder) if declares(name) or name == "requirements"]
    except OSError:
        return []
    if "requirements" in found:
        found.remove("requirements")
        if (
            not (folder / "requirements/__init__.py").exists()
            and (folder / "requirements").is_dir()
        ):
            inner = os.listdir(folder / "requirements")
            found += [f"requirements/{n}" for n in inner if _is_part(n)]
    return sorted(name for name in found if (folder / name).is_file())


def _is_part(name: str) -> bool:
    return name.endswith((".txt", ".in")) and not _TOOLS.search(name)


def find(root: Path, folder: str, present: Collection[str]) -> list[Unread]:
    """Return those of the files `present` in a folder, as `names` returns them, with dependencies.

    A lock counts only without the file that it was made from: that says which dependencies are for
    development.

    Raises:
        LockError: a file has a wrong syntax.

    """
    from buildlib.lock import declared  # with its parsers, 10 ms

    locks = [lock for lock, project in locations.MADE_FROM.items() if project not in present]
    found = []
    for name in [*_PROJECTS, *sorted(set(present) - {*_PROJECTS, *locations.MADE_FROM}), *locks]:
        if name not in present:
            continue
        path = f"{folder}/{name}" if folder else name
        content = declared.read(root, path)
        if content.lines or content.optional or content.computed:
            found.append(Unread(path, *content[:3], content.project))
    return found


def described(lines: Iterable[str]) -> str:
    """Return the dependencies in a few words."""
    shown = list(lines)
    more = len(shown) - 5
    return ", ".join(shown if more <= 1 else [*shown[:5], f"and {more} more"])
