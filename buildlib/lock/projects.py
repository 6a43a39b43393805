"""The import packages of a project in the repository, by the layout that its build backend knows.

Nothing of the project is built or run: its files go into the ZIP from where they are, so an edit
counts at once. `uv pip install` of a folder would take an earlier build of it.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from buildlib.errors import LockError
from buildlib.model import Include
from buildlib.text import canonical_name

# Build backends that compile, or whose wheel has files that are not in the sources.
_COMPILES = ("maturin", "scikit_build_core", "mesonpy", "setuptools_rust", "sipbuild")


_NOT_SHIPPED = frozenset({"test", "tests", "doc", "docs", "example", "examples", "build", "dist"})


def read(path: Path) -> dict[str, Any]:
    """Return the content of a pyproject.toml; empty if it is missing or damaged."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def packages(root: Path, folder: str, where: str) -> tuple[Include, ...]:
    """Return the packages and modules of the project in `folder`, as they are imported.

    `where` is the place that names the project, for messages.

    Raises:
        LockError: the project compiles, or has packages in a place that only its build knows.

    """
    content = read(root / folder / "pyproject.toml")
    backend = str(_table(content, "build-system").get("build-backend", ""))
    if backend.startswith(_COMPILES):
        msg = (
            f"{where}: {folder} is built with {backend.partition('.')[0]}, which compiles; publish "
            "its wheel to an index, or put it into a folder and name that with '--find-links'"
        )
        raise LockError(msg, "local-project")
    found = [
        Include(os.path.normpath(os.path.join(folder, path)).replace(os.sep, "/"), to)
        for path, to in _declared(root / folder, content) or _found(root / folder, content)
        if (root / folder / path).exists()
    ]
    if not found:
        msg = (
            f"{where}: {folder or '.'} has no package in a usual place (src/<name>/ or <name>/); "
            "name its packages in the lambda's 'include', and remove it from the dependencies"
        )
        raise LockError(msg, "local-project")
    return tuple(found)


def _table(content: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = content.get(key)
        content = value if isinstance(value, Mapping) else {}
    return content


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]


def _declared(folder: Path, content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the packages that the project's build settings name: path and place in the ZIP."""
    return [
        *_of_uv(_table(content, "tool", "uv", "build-backend")),
        *_of_hatch(_table(content, "tool", "hatch", "build", "targets", "wheel")),
        *_of_poetry(_table(content, "tool", "poetry")),
        *_of_setuptools(folder, _table(content, "tool", "setuptools")),
        *_of_flit(folder, _table(content, "tool", "flit", "module")),
    ]


def _of_uv(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    root = str(table.get("module-root", "src"))
    for name in _texts(table.get("module-name")):
        place = name.replace(".", "/")
        yield f"{root}/{place}" if root else place, place


def _of_hatch(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path in _texts(table.get("packages")):
        yield path, path.rstrip("/").rpartition("/")[2]
    prefixes = _texts(table.get("sources"))
    for path in _texts(table.get("only-include")):
        prefix = next((p for p in prefixes if path.startswith(f"{p}/")), "")
        yield path, path.removeprefix(f"{prefix}/") if prefix else path
    for path, to in _table(table, "force-include").items():
        yield path, str(to)


def _of_poetry(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in table.get("packages", []):
        if isinstance(entry, Mapping) and isinstance(include := entry.get("include"), str):
            name = re.sub(r"(/\*\*)?(/\*(\.py)?)?$", "", include)
            path = f"{entry['from']}/{name}" if entry.get("from") else name
            yield path, f"{entry['to']}/{name}" if entry.get("to") else name


def _of_setuptools(folder: Path, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    places = _table(table, "package-dir")
    top = str(places.get("", ""))
    start = f"{top}/" if top else ""
    for name in _texts(table.get("py-modules")):
        yield f"{start}{name}.py", f"{name}.py"
    listed = table.get("packages")
    if isinstance(listed, list):
        for name in _texts(listed):
            place = name.replace(".", "/")
            if "." not in name or name.rpartition(".")[0] not in listed:
                yield str(places.get(name, f"{start}{place}")), place
    for where in _texts(_table(table, "packages", "find").get("where")):
        yield from ((f"{where}/{name}", name) for name in _children(folder / where))


def _of_flit(folder: Path, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _texts(table.get("name")):
        yield from ((path, to) for path, to in _named(folder, name.replace(".", "/")))


def _found(folder: Path, content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the packages where backends look by default: by the project's name, or in `src`."""
    name = _table(content, "project").get("name") or _table(content, "tool", "poetry").get("name")
    if isinstance(name, str):
        named = list(_named(folder, canonical_name(name).replace("-", "_")))
        if named:
            return named
    if (folder / "src").is_dir() and (children := _children(folder / "src")):
        return [(f"src/{child}", child) for child in children]
    packages_ = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    packages_ = [child for child in packages_ if child not in _NOT_SHIPPED]
    if packages_:
        return [(child, child) for child in packages_]
    return [(child, child) for child in _children(folder) if child.endswith(".py")]


def _named(folder: Path, place: str) -> Iterator[tuple[str, str]]:
    for start in ("src/", ""):
        for path in (place, f"{place}.py"):
            if (folder / start / path).is_file() or _has_python(folder / start / path):
                yield f"{start}{path}", path
                return


def _children(folder: Path) -> list[str]:
    """Return the names of the packages and modules in a folder, sorted."""
    skipped = {"setup.py", "conftest.py", "noxfile.py"}
    return sorted(
        path.name
        for path in folder.glob("*")
        if (path.suffix == ".py" and path.name not in skipped)
        or (path.name.isidentifier() and path.name not in _NOT_SHIPPED and _has_python(path))
    )


def _has_python(folder: Path) -> bool:
    return folder.is_dir() and any(folder.rglob("*.py"))
