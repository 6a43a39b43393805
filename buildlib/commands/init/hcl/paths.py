"""Paths in Terraform files, and the functions about files, inside a repository.

`path.module` and its like are absolute for Terraform. Here they begin with a placeholder for
the repository's root, which is the name of no file.
"""

import fnmatch
import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from buildlib.commands.init.hcl import values
from buildlib.commands.init.hcl.values import Failure, Unknown
from buildlib.files.walk import JUNK_FOLDERS

ROOT = "<repository>"


# Files of a repository that `fileset` looks at, and bytes of one that `file` reads.
_MOST_FILES = 50_000


# Patterns after choices in braces are expanded.
_MOST_CHOICES = 64


def absolute(folder: str) -> str:
    """Return the absolute path of a folder, which is relative to the root."""
    return ROOT if folder == "." else f"{ROOT}/{folder}"


def relative(path: str, folder: str) -> str | None:
    """Return a path relative to the root; `folder` is the working directory.

    A path outside the repository is None.
    """
    if path == ROOT or path.startswith(f"{ROOT}/"):
        joined = path.removeprefix(ROOT).lstrip("/")
    elif posixpath.isabs(path) or ROOT in path:
        return None
    else:
        joined = posixpath.join(folder, path)
    found = posixpath.normpath(joined)
    return None if found == ".." or found.startswith("../") else found


def dirname(path: str) -> str | Unknown:
    """Return the folder of a path, as Terraform's function of this name."""
    if path.rstrip("/") == ROOT:
        return Unknown("it is outside the repository")
    return posixpath.dirname(path) or "."


@dataclass(frozen=True)
class Folder:
    """The working directory of Terraform, in the repository at `root`."""

    root: Path
    name: str

    def absolute(self, path: str) -> str | Unknown:
        """Return an absolute path."""
        found = relative(path, self.name)
        return Unknown("it is outside the repository") if found is None else absolute(found)

    def _file(self, path: str) -> Path | None:
        found = relative(path, self.name)
        place = self.root / (found or ".")
        if found is None or not place.resolve().is_relative_to(self.root.resolve()):
            return None
        return place if place.is_file() else None

    def has(self, path: str) -> bool | Unknown:
        """Tell whether a file is there; outside the repository it is unknown."""
        if relative(path, self.name) is None:
            return Unknown("it is outside the repository")
        return self._file(path) is not None

    def text(self, path: str) -> str | Unknown:
        """Return the content of a small text file."""
        place = self._file(path)
        if place is None:
            return Unknown(f"there is no file {path}")
        if place.stat().st_size > values.LONGEST:
            return Unknown(f"the file {path} is too large to be read here")
        try:
            return place.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            msg = f"{path}: {error}"
            raise Failure(msg) from error

    def matches(self, path: str, pattern: str) -> dict[str, str] | Unknown:
        """Return the files below a folder that match a pattern, as a set of relative paths."""
        top = relative(path, self.name)
        patterns = [] if "[" in pattern else _patterns(pattern)
        if top is None or not patterns:
            return Unknown("its pattern or folder is not evaluated here")
        found = []
        seen = 0
        start = self.root / top
        for folder, folders, names in os.walk(start):
            folders[:] = sorted(name for name in folders if name not in JUNK_FOLDERS)
            seen += len(names) + 1
            if seen > _MOST_FILES:
                return Unknown(f"{path} has more than {_MOST_FILES} files")
            prefix = os.path.relpath(folder, start).replace(os.sep, "/")
            named = (name if prefix == "." else f"{prefix}/{name}" for name in names)
            found += [name for name in named if any(_fits(name, one) for one in patterns)]
        return values.as_set(found)


_CHOICE = re.compile(r"\{([^{}]*)\}")


def _patterns(pattern: str) -> list[list[str]]:
    """Return the parts of a pattern, once for each choice in braces; none if they are too many."""
    todo, found = [pattern], []
    while todo:
        one = todo.pop()
        match = _CHOICE.search(one)
        if match is None:
            found.append(one.split("/"))
        else:
            todo += [f"{one[: match.start()]}{o}{one[match.end() :]}" for o in match[1].split(",")]
        if len(todo) + len(found) > _MOST_CHOICES:
            return []
    return found


def _fits(name: str, parts: list[str]) -> bool:
    """Tell whether a path fits a pattern, whose part `**` matches any number of folders."""
    reached = {0}
    for word in name.split("/"):
        # A part `**` also matches no folder.
        reached |= {
            later
            for state in reached
            for later in range(state + 1, len(parts) + 1)
            if set(parts[state:later]) == {"**"}
        }
        after = {state for state in reached if parts[state : state + 1] == ["**"]}
        for state in reached:
            if state < len(parts) and fnmatch.fnmatchcase(word, parts[state]):
                after.add(state + 1)
        reached = after
    return any(set(parts[state:]) <= {"**"} for state in reached)
