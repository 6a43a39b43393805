"""Read the lockfiles of uv, Poetry, PDM and Pipenv, and pylock.toml, as graphs of packages.

Each is read additively: keys that are not known here are passed over, other versions of a format
are refused. No tool runs, and nothing is resolved.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from buildlib.errors import LockError
from buildlib.lock import declared, projects
from buildlib.lock.graph import Edge, Graph, Package, edges
from buildlib.model import Requires
from buildlib.text import canonical_name

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


_PYPI = "https://pypi.org/simple"


# Gives the content of a lockfile by its path; a large one takes a second to parse.
Parse = Callable[[str], dict[str, Any]]


def parse(root: Path, path: str) -> dict[str, Any]:
    """Return the content of a lockfile.

    Raises:
        LockError: it cannot be read.

    """
    try:
        content = (root / path).read_bytes()
        is_json = os.path.basename(path) == "Pipfile.lock"
        found: dict[str, Any] = json.loads(content) if is_json else tomllib.loads(content.decode())
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"{path}: cannot be read: {reason}; regenerate it with its own tool"
        raise LockError(msg, "lock-line") from None
    return found


def read(root: Path, requires: Requires, source: str, parsed: Parse) -> Graph:
    """Return the packages of a lock, and the dependencies of the function in the folder `source`.

    Raises:
        LockError: the lock cannot be read, or is not of a known format.

    """
    path = requires.paths[0]
    reader = _READERS.get(os.path.basename(path), _pylock)
    try:
        return reader(parsed(path), root, requires, source)
    except (AttributeError, KeyError, TypeError, IndexError, ValueError) as error:
        msg = f"{path}: unexpected content ({error!r}); regenerate it with its own tool"
        raise LockError(msg, "lock-line") from None


def _by_name(packages: Iterable[Package]) -> Mapping[str, Sequence[Package]]:
    found: dict[str, list[Package]] = {}
    for package in packages:
        found.setdefault(package.name, []).append(package)
    return found


def _file(address: str) -> str:
    return unquote(urlsplit(address).path.rpartition("/")[2])


def _sha256(text: str) -> str:
    return text if _HASH.fullmatch(text) else ""


def _chosen(
    kind: str, names: Sequence[str], known: Mapping[str, tuple[Edge, ...]], shown: str
) -> Iterator[Edge]:
    """Yield the edges of the groups or extras that a function adds."""
    by_name = {canonical_name(name): some for name, some in known.items()}
    for name in names:
        if canonical_name(name) not in by_name:
            there = ", ".join(sorted(known)) or "none"
            msg = f"{shown}: no {kind} '{name}'; available: {there}"
            raise LockError(msg, "requirements")
        yield from by_name[canonical_name(name)]


# -- uv --------------------------------------------------------------------------------------------


def _uv(content: dict[str, Any], root: Path, requires: Requires, source: str) -> Graph:
    path = requires.paths[0]
    if content.get("version") != 1:
        msg = f"{path}: unsupported version {content.get('version')}; expected version 1"
        raise LockError(msg, "lock-line")
    packages = _by_name(map(_uv_package, content.get("package", [])))
    top = _uv_top(root, requires, source, packages)
    start = [Edge(top.name, requires.extras, version=top.version)]
    start += _chosen("group", requires.groups, top.groups, path)
    missing = set(map(canonical_name, requires.extras)) - set(top.extras)
    if missing:
        there = ", ".join(sorted(top.extras)) or "none"
        msg = f"{path}: {top.name} has no extra '{min(missing)}'; available: {there}"
        raise LockError(msg, "requirements")
    # The code of the function itself is its source.
    packages = {**packages, top.name: [top._replace(has_code=False)]}
    return Graph(path, packages, tuple(start))


def _uv_package(table: dict[str, Any]) -> Package:
    source = table["source"]
    local = source.keys() & {"editable", "virtual", "directory"}
    wheels = [*table.get("wheels", []), *([table["sdist"]] if "sdist" in table else [])]
    files = {
        _file(w.get("url") or w.get("path") or w.get("filename", "")): _sha256(w.get("hash", ""))
        for w in wheels
    }
    problem = ""
    if "git" in source:
        problem = "comes from git, which gives no hash of a wheel; require a release of an index"
    elif "path" in source:
        problem = (
            f"is the local file {source['path']}; serve it from an index, or use "
            f"its folder as an index"
        )
    optional = table.get("optional-dependencies", {})
    groups = table.get("dev-dependencies", {})
    return Package(
        canonical_name(table["name"]),
        table.get("version", ""),
        {name: digest for name, digest in files.items() if digest},
        tuple(map(_uv_edge, table.get("dependencies", []))),
        {canonical_name(name): tuple(map(_uv_edge, some)) for name, some in optional.items()},
        {name: tuple(map(_uv_edge, some)) for name, some in groups.items()},
        tuple(table.get("resolution-markers", ())),
        folder=source[min(local)] if local else None,
        has_code="virtual" not in local,
        url=source.get("url", ""),
        registry=source.get("registry", ""),
        problem=problem,
    )


def _uv_edge(table: dict[str, Any]) -> Edge:
    return Edge(
        canonical_name(table["name"]),
        tuple(map(canonical_name, table.get("extra", ()))),
        table.get("marker", ""),
        version=table.get("version", ""),
    )


def _uv_top(
    root: Path, requires: Requires, source: str, packages: Mapping[str, Sequence[Package]]
) -> Package:
    """Return the member of the workspace that the function is of."""
    path = requires.paths[0]
    members = [p for some in packages.values() for p in some if p.folder is not None]
    folder = source
    while not requires.package:
        project = projects.read(root / folder / "pyproject.toml").get("project", {})
        name = canonical_name(str(project.get("name", "")))
        if found := [package for package in members if package.name == name]:
            return found[0]
        if folder in {"", "."} or folder == os.path.dirname(path):
            break
        folder = os.path.dirname(folder)
    tops = [p for p in members if p.name == requires.package or not requires.package]
    if len(tops) != 1:
        names = ", ".join(sorted(package.name for package in members))
        what = f"has no member '{requires.package}'" if requires.package else "has several members"
        msg = f"{path}: {what}; set 'requirements: {{path: ..., package: ...}}' to one of {names}"
        raise LockError(msg, "requirements")
    return tops[0]


# -- Poetry and PDM --------------------------------------------------------------------------------


# The names of the group that a project needs itself.
_MAIN = ("main", "default")


def _of_groups(tables: Iterable[dict[str, Any]], groups: set[str]) -> Iterator[Edge]:
    """Yield an edge to each package of some groups, for a lock without its project."""
    for table in tables:
        mine = table.get("groups") or [table.get("category", "main")]
        if groups.intersection(mine) and not table.get("optional") and not table.get("extras"):
            yield Edge(canonical_name(table["name"]), version=table["version"])


def _start(root: Path, requires: Requires, tables: Iterable[dict[str, Any]]) -> tuple[Edge, ...]:
    """Return the dependencies that the project of a lock declares."""
    path = os.path.join(os.path.dirname(requires.paths[0]), "pyproject.toml").replace(os.sep, "/")
    if not (root / path).is_file():
        if requires.extras:
            msg = f"{requires.paths[0]}: extras need the {path} that it was made from"
            raise LockError(msg, "requirements")
        return tuple(_of_groups(tables, {*_MAIN, *requires.groups}))
    found = declared.read(root, path)
    groups = {name: edges(some, path) for name, some in found.groups.items()}
    extras = {name: edges(some, path) for name, some in found.extras.items()}
    return (
        *edges(found.lines, path),
        *_chosen("group", requires.groups, groups, path),
        *_chosen("extra", requires.extras, extras, path),
    )


def _poetry(content: dict[str, Any], root: Path, requires: Requires, source: str) -> Graph:
    del source
    path = requires.paths[0]
    version = str(content.get("metadata", {}).get("lock-version", "1.0"))
    if version.partition(".")[0] not in {"1", "2"}:
        msg = f"{path}: unsupported version {version}; expected version 1 or 2"
        raise LockError(msg, "lock-line")
    older = content.get("metadata", {}).get("files", {})  # before version 2
    packages = _by_name(_poetry_package(t, older, path) for t in content.get("package", []))
    return Graph(path, packages, _start(root, requires, content.get("package", [])))


def _poetry_package(table: dict[str, Any], older: Mapping[str, Any], shown: str) -> Package:
    source = table.get("source", {})
    kind = source.get("type", "")
    files = table.get("files") or older.get(table["name"], [])
    markers = table.get("markers", ())
    optional = {
        canonical_name(name): edges(some, shown) for name, some in table.get("extras", {}).items()
    }
    problem = ""
    if kind in {"git", "file"}:
        problem = f"comes from {source.get('url')} ({kind}), which no index has"
    return Package(
        canonical_name(table["name"]),
        table["version"],
        {entry["file"]: entry["hash"] for entry in files if _sha256(entry["hash"])},
        tuple(_poetry_edges(table.get("dependencies", {}))),
        optional,
        markers=tuple(markers.values())
        if isinstance(markers, Mapping)
        else tuple([markers] if markers else ()),
        folder=source["url"] if kind == "directory" else None,
        url=source.get("url", "") if kind == "url" else "",
        registry=source.get("url", "") if kind == "legacy" else "",
        problem=problem,
    )


def _poetry_edges(table: Mapping[str, Any]) -> Iterator[Edge]:
    for name, value in table.items():
        for one in value if isinstance(value, list) else [value]:
            details = one if isinstance(one, Mapping) else {"version": one}
            if not details.get("optional"):
                yield Edge(
                    canonical_name(name),
                    tuple(map(canonical_name, details.get("extras", ()))),
                    details.get("markers", ""),
                    "" if details.get("version", "*") == "*" else details["version"],
                )


def _pdm(content: dict[str, Any], root: Path, requires: Requires, source: str) -> Graph:
    del source
    path = requires.paths[0]
    version = str(content.get("metadata", {}).get("lock_version", ""))
    if version.partition(".")[0] != "4":
        msg = f"{path}: unsupported version {version or 'none'}; expected version 4"
        raise LockError(msg, "lock-line")
    merged: dict[tuple[str, str], Package] = {}
    for table in content.get("package", []):
        package = _pdm_package(table, path)
        known = merged.setdefault((package.name, package.version), package)
        if extras := table.get("extras"):
            # A package with extras is a row of its own, which requires the plain one.
            own = {canonical_name(extra): package.edges for extra in extras}
            merged[package.name, package.version] = known._replace(
                extras={**known.extras, **own}, edges=() if known is package else known.edges
            )
        elif known is not package:
            merged[package.name, package.version] = package._replace(extras=known.extras)
    start = _start(root, requires, content.get("package", []))
    return Graph(path, _by_name(merged.values()), start)


def _pdm_package(table: dict[str, Any], shown: str) -> Package:
    files = {
        entry.get("file") or _file(entry.get("url", "")): entry["hash"]
        for entry in table.get("files", [])
        if _sha256(entry.get("hash", ""))
    }
    found = edges(table.get("dependencies", ()), shown)
    name = canonical_name(table["name"])
    return Package(
        name,
        table["version"],
        files,
        tuple(edge for edge in found if edge.name != name),
        markers=(table["marker"],) if table.get("marker") else (),
        folder=table.get("path"),
        url=table.get("url", ""),
        problem="comes from git, which no index has" if table.get("git") else "",
    )


# -- locks without edges ---------------------------------------------------------------------------


def _pipenv(content: dict[str, Any], root: Path, requires: Requires, source: str) -> Graph:
    del root, source
    path = requires.paths[0]
    if requires.extras:
        msg = f"{path}: Pipenv has no extras; name its categories in 'groups'"
        raise LockError(msg, "requirements")
    indexes = {one["name"]: one["url"] for one in content.get("_meta", {}).get("sources", [])}
    names = {"dev-packages": "develop", "dev": "develop"}
    packages, start = [], []
    for category in ("default", *(names.get(name, name) for name in requires.groups)):
        if category not in content:
            there = ", ".join(sorted(content.keys() - {"_meta", "default"})) or "none"
            msg = f"{path}: no category '{category}'; available: {there}"
            raise LockError(msg, "requirements")
        for name, entry in content[category].items():
            package = Package(
                canonical_name(name),
                str(entry.get("version", "")).removeprefix("=="),
                {str(n): h for n, h in enumerate(entry.get("hashes", [])) if _sha256(h)},
                folder=entry.get("path"),
                url=entry.get("file", ""),
                registry=indexes.get(entry.get("index", ""), ""),
                problem="comes from git, which no index has" if entry.get("git") else "",
            )
            packages.append(package)
            start.append(Edge(package.name, (), entry.get("markers", ""), version=package.version))
    return Graph(path, _by_name(packages), tuple(start))


def _pylock(content: dict[str, Any], root: Path, requires: Requires, source: str) -> Graph:
    del root, source
    path = requires.paths[0]
    version = str(content.get("lock-version", ""))
    if version.partition(".")[0] != "1":
        msg = f"{path}: unsupported version {version or 'none'}; expected version 1"
        raise LockError(msg, "lock-line")
    groups = [*content.get("default-groups", []), *requires.groups]
    packages, start = [], []
    for table in content.get("packages", []):
        wheels = [*table.get("wheels", []), *([table["sdist"]] if "sdist" in table else [])]
        archive = table.get("archive", {})
        folder = table.get("directory", {}).get("path")
        package = Package(
            canonical_name(table["name"]),
            table.get("version", ""),
            dict(_pylock_files([archive] if archive else wheels)),
            folder=folder,
            url=archive.get("url", ""),
            registry=table.get("index", ""),
            problem="comes from a version control system, which no index has"
            if "vcs" in table
            else "",
        )
        if not _selected(table.get("marker", ""), requires.extras, groups, path):
            continue
        packages.append(package)
        marker = "" if _is_about_groups(table.get("marker", "")) else table.get("marker", "")
        start.append(Edge(package.name, (), marker, version=package.version))
    return Graph(path, _by_name(packages), tuple(start))


def _pylock_files(tables: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for table in tables:
        digest = _sha256(f"sha256:{table.get('hashes', {}).get('sha256', '')}")
        if digest:
            yield table.get("name") or _file(table.get("url") or table.get("path", "")), digest


def _is_about_groups(marker: str) -> bool:
    return re.search(r"\b(dependency_groups|extras)\b", marker) is not None


def _selected(marker: str, extras: Sequence[str], groups: Sequence[str], shown: str) -> bool:
    """Tell whether the groups and extras of a function select a package (PEP 751)."""
    if not _is_about_groups(marker):
        return True
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison

    environment: Any = {"extras": set(extras), "dependency_groups": set(groups)}
    try:
        return Marker(marker).evaluate(environment, context="lock_file")
    except (InvalidMarker, UndefinedComparison, ValueError) as error:
        msg = f"{shown}: the marker '{marker}' cannot be read: {error}"
        raise LockError(msg, "lock-line") from None


_READERS: Mapping[str, Callable[[dict[str, Any], Path, Requires, str], Graph]] = {
    "uv.lock": _uv,
    "poetry.lock": _poetry,
    "pdm.lock": _pdm,
    "Pipfile.lock": _pipenv,
}


def indexes(packages: Iterable[Package]) -> tuple[str, ...]:
    """Return the options of uv for the indexes of packages, apart from PyPI."""
    found = {
        package.registry.rstrip("/"): None
        for package in packages
        if package.registry.startswith(("https://", "http://"))
        and package.registry.rstrip("/") not in {_PYPI, "https://pypi.org"}
    }
    return tuple(word for index in found for word in ("--extra-index-url", index))
