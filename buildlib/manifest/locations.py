"""Which files declare the dependencies of a function, and where the lockfile of these stands.

Only names count here: no file is read, but for the head of a lockfile of an earlier version.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

from buildlib.model import Function, Requires
from buildlib.text import canonical_name

# Lockfiles of other tools, whose pins are used as they are.
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml")


# The project of a lock: if that is not read on purpose, neither is the lock.
MADE_FROM = {
    "uv.lock": "pyproject.toml",
    "poetry.lock": "pyproject.toml",
    "pdm.lock": "pyproject.toml",
    "Pipfile.lock": "Pipfile",
}


# PEP 751: `pylock.toml`, or a name in between.
_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")


# Files from which a lockfile is made, apart from requirements files.
PROJECTS = ("pyproject.toml", "Pipfile")


def is_lock(path: str) -> bool:
    """Tell whether a file is a lockfile of another tool, by its name."""
    name = os.path.basename(path)
    return name in LOCKS or _PYLOCK.fullmatch(name) is not None


def is_project(path: str) -> bool:
    """Tell whether a file declares the dependencies of a project, by its name."""
    return os.path.basename(path) in PROJECTS


def _declares(path: Path) -> bool:
    """Tell whether a project declares dependencies, be it that only a build knows them."""
    text = _text(path)
    if not _SIGNS.search(text):
        return False
    import tomllib  # few functions have such a file

    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError):
        return True  # its reader says where it is wrong
    try:
        project = content.get("project", {})
        poetry = content.get("tool", {}).get("poetry", {}).get("dependencies", {})
        found = (
            project.get("dependencies"),
            "dependencies" in project.get("dynamic", ()),
            poetry.keys() - {"python"},
            content.get("packages"),
        )
    except (AttributeError, TypeError):  # of another shape, which its reader says, too
        return True
    return any(found)


# One of these is in each file that declares dependencies.
_SIGNS = re.compile(r"^\s*(dependencies|dynamic)\s*=|poetry|^\s*\[packages\]", re.MULTILINE)


def default(root: Path, source: str, unread: Collection[str] = ()) -> list[str]:
    """Return the file that a function's dependencies are taken from, if the manifest names none.

    That is `requirements.txt`; or else the only lockfile of another tool in the source folder; or
    the uv.lock of the workspace that the folder is a member of; or the project's declaration. If
    there are several, none of them is meant. `unread` are files that do not count.
    """
    folder = "" if source == "." else f"{source}/"
    # One look at the folder, instead of one for each name that may be there.
    try:
        present = frozenset(os.listdir(os.path.join(root, source)))
    except OSError:
        present = frozenset()
    if "requirements.txt" in present and os.path.isfile(root / f"{folder}requirements.txt"):
        return [f"{folder}requirements.txt"]
    locks = [name for name in LOCKS if name in present]
    locks = [name for name in locks if f"{folder}{MADE_FROM.get(name, name)}" not in unread]
    found = [f"{folder}{name}" for name in locks if os.path.isfile(root / f"{folder}{name}")]
    found = [path for path in found if path not in unread]
    if not found:
        names = [name for name in PROJECTS if name in present]
        found = [f"{folder}{name}" for name in names if _declares(root / f"{folder}{name}")]
        found = [path for path in found if path not in unread]
        if f"{folder}pyproject.toml" in found and (lock := _of_workspace(root, source)):
            return [lock]
    return found


def _of_workspace(root: Path, source: str) -> str:
    """Return the uv.lock above a folder that has the folder as a member; empty without one."""
    folder = source
    while folder not in {"", "."}:
        folder = os.path.dirname(folder)
        lock = f"{folder}/uv.lock" if folder else "uv.lock"
        if os.path.isfile(root / lock):
            member = os.path.relpath(source, folder or ".").replace(os.sep, "/")
            found = re.search(rf'= "{re.escape(member)}" \}}', _text(root / lock))
            return lock if found else ""
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def project_folder(root: Path, source: str) -> str:
    """Return the nearest folder with a pyproject.toml, from a source folder upwards."""
    folder = source
    while folder not in {"", "."} and not os.path.isfile(root / folder / "pyproject.toml"):
        folder = os.path.dirname(folder)
    return folder or "."


def editable(function: Function) -> str:
    """Return the file to which a user adds a dependency of a function, in words for a message."""
    path = function.requirements or function.within("requirements.txt")
    if not is_lock(path):
        return path
    project = "Pipfile" if path.endswith("Pipfile.lock") else "pyproject.toml"
    return f"{os.path.join(os.path.dirname(path), project)}, and lock it again,"


def lockfile(root: Path, requires: Requires, source: str) -> str | None:
    """Return the path of the lockfile that is made from some files; None if they are one.

    It is in the folder of the first of them. That of `requirements.txt` is `requirements.lock`, and
    that of another file is named after it, and after the groups and extras that it has.
    """
    if is_lock(requires.paths[0]):
        return None
    folder = os.path.dirname(requires.paths[0])
    stems = [_stem(path) for path in requires.paths]
    stems += [canonical_name(name) for name in (*requires.groups, *requires.extras)]
    path = os.path.join(folder, f"{'+'.join(stems)}.lock").replace(os.sep, "/")
    # Before version 0.2, each lockfile was `requirements.lock` in the source folder.
    earlier = "requirements.lock" if source == "." else f"{source}/requirements.lock"
    name = os.path.basename(requires.paths[0])
    if path != earlier and not (root / path).exists() and _is_from(root / earlier, name):
        return earlier
    return path


def _stem(path: str) -> str:
    name = os.path.basename(path)
    stem = os.path.splitext(name)[0]
    # `pyproject.lock` and `Pipfile.lock` would be taken for those of other tools.
    return f"{stem.lower()}.requirements" if is_project(path) else stem


def _is_from(lock: Path, name: str) -> bool:
    try:
        with lock.open(encoding="utf-8", errors="replace") as stream:
            return stream.readline().startswith(f"# Made by doit-lambda-zip from {name};")
    except OSError:
        return False
