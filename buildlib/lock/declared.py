"""The dependencies that a project declares in files which no lock is made from.

The files are read, never run: what only a build of the project knows is `computed`.
"""

import ast
import configparser
import functools
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from buildlib.errors import LockError
from buildlib.lock import poetry, workspace
from buildlib.text import canonical_name


class Declared(NamedTuple):
    """The dependencies in one file: lines of a requirements file, and those that are optional.

    With `computed`, there are some that the file does not list. `project` is the normalised name
    of the project, empty without one. `groups` and `extras` may be added, by name. A
    project in a folder is `name @ file:<folder>`, seen from the file's folder.
    """

    lines: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    computed: bool = False
    project: str = ""
    groups: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    extras: Mapping[str, tuple[str, ...]] = MappingProxyType({})


# Reads one kind of file.
Reader = Callable[[Path], Declared]


def read(root: Path, path: str) -> Declared:
    """Return the dependencies that a file declares, by its path below the root.

    Raises:
        LockError: the file cannot be read, or has a wrong syntax.

    """
    name = os.path.basename(path)
    reader = _READERS.get(name) or (_pylock if name.startswith("pylock.") else _requirements)
    try:
        return reader(root / path)
    except (OSError, ValueError, SyntaxError, RecursionError, configparser.Error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"{path}: cannot be read: {reason}"
        raise LockError(msg, "dependencies-unread") from None
    except (AttributeError, KeyError, TypeError):  # of another shape than its tool writes
        return Declared(computed=True)


# -- pyproject.toml --------------------------------------------------------------------------------


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _pyproject(path: Path) -> Declared:
    content = _toml(path)
    project, tool = content.get("project", {}), content.get("tool", {})
    name = project.get("name") or tool.get("poetry", {}).get("name") or ""
    sources = tool.get("uv", {}).get("sources", {})
    line = functools.partial(_line, path.parent, sources)
    lines = [line(text) for text in project.get("dependencies", [])]
    extras = {
        extra: tuple(map(line, some))
        for extra, some in project.get("optional-dependencies", {}).items()
    }
    groups = {
        group: tuple(map(line, _of_group(content["dependency-groups"], group)))
        for group in content.get("dependency-groups", {})
    }
    optional = [text for some in (*extras.values(), *groups.values()) for text in some]
    own, more = poetry.dependencies(tool.get("poetry", {}))
    # With [project], Poetry 2 reads only details from its own table.
    lines += own if not project.get("dependencies") else []
    lines += tool.get("flit", {}).get("metadata", {}).get("requires", [])
    computed = "dependencies" in project.get("dynamic", []) and not lines
    groups |= poetry.groups(tool.get("poetry", {}))
    extras |= poetry.extras(tool.get("poetry", {}))
    name = canonical_name(name)
    return Declared(tuple(lines), (*optional, *more), computed, name, groups, extras)


def _of_group(groups: Mapping[str, Any], group: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the dependencies of a group, with those of the groups that it includes (PEP 735)."""
    for entry in groups.get(group, []) if group not in above else []:
        if isinstance(entry, str):
            yield entry
        else:
            yield from _of_group(groups, entry.get("include-group", ""), (*above, group))


def _line(folder: Path, sources: Mapping[str, Any], text: str) -> str:
    """Return a dependency as a line, with the folder of a project that no index has."""
    name = requirement_name(text)
    source = next((s for n, s in sources.items() if canonical_name(n) == name), None)
    if not isinstance(source, Mapping):
        return text
    head = re.split(r"[<>=!~;@ ]", text, maxsplit=1)[0]
    if source.get("workspace") and (member := workspace.member(folder, name)):
        return f"{head} @ file:{member}"
    if place := source.get("path"):
        return f"{head} @ file:{place}"
    if address := source.get("git"):
        return f"{head} @ git+{address}"
    if address := source.get("url"):
        return f"{head} @ {address}"
    return text


def requirement_name(line: str) -> str:
    """Return the normalised name of a requirement (PEP 508); empty for a comment or an option."""
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return canonical_name(match[1]) if match else ""


# -- lockfiles -------------------------------------------------------------------------------------


def _toml_lock(path: Path) -> Declared:
    """Read the packages of poetry.lock or pdm.lock, of the main group if they have groups."""
    pins = [
        f"{package['name']}=={package['version']}"
        for package in _toml(path).get("package", [])
        if {"main", "default"} & set(package.get("groups", ["main"]))
        and not package.get("optional")
        and package.get("category", "main") == "main"
    ]
    return Declared(tuple(pins))


def _uv_lock(path: Path) -> Declared:
    packages = _toml(path).get("package", [])
    local = {"virtual", "editable", "directory", "path"}
    pins = [f"{p['name']}=={p['version']}" for p in packages if not local & p["source"].keys()]
    return Declared(tuple(pins))


def _pylock(path: Path) -> Declared:
    lines = []
    for package in _toml(path).get("packages", []):
        marker = f" ; {package['marker']}" if package.get("marker") else ""
        if "version" in package:
            lines.append(f"{package['name']}=={package['version']}{marker}")
    return Declared(tuple(lines))


def _pipfile(path: Path) -> Declared:
    content = _toml(path)
    lines = tuple(poetry.pipenv(content.get("packages", {})))
    tables = {
        name: tuple(poetry.pipenv(table))
        for name, table in content.items()
        if name not in _NO_GROUPS
    }
    return Declared(lines, tables.get("dev-packages", ()), groups=tables)


# Tables of a Pipfile that are no groups.
_NO_GROUPS = frozenset({"source", "packages", "requires", "scripts", "pipenv", "pipfile"})


def _pipfile_lock(path: Path) -> Declared:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Declared(tuple(poetry.pipenv(content.get("default", {}))))


# -- setuptools ------------------------------------------------------------------------------------


def _setup_cfg(path: Path) -> Declared:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(path.read_text(encoding="utf-8"))
    text = parser.get("options", "install_requires", fallback="")
    if text.strip().startswith("file:"):
        return Declared(computed=True)
    name = parser.get("metadata", "name", fallback="")
    return Declared(tuple(_lines(text)), project=canonical_name(name))


def _setup_py(path: Path) -> Declared:
    try:
        module = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # of an older Python
        return Declared(computed=True)
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "setup":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            value = given.get("install_requires")
            value = _value_of(module, value.id) if isinstance(value, ast.Name) else value
            name = given.get("name")
            project = str(name.value) if isinstance(name, ast.Constant) else ""
            if value is None:
                return Declared(project=canonical_name(project))
            try:
                found = ast.literal_eval(value)
            except ValueError:
                return Declared(computed=True, project=canonical_name(project))
            lines = _lines(found) if isinstance(found, str) else map(str, found)
            return Declared(tuple(lines), project=canonical_name(project))
    return Declared()


def _value_of(module: ast.Module, name: str) -> ast.expr:
    """Return the value of a variable; the variable itself if more than one assignment makes it."""
    uses = [node for node in ast.walk(module) if isinstance(node, ast.Name) and node.id == name]
    values = [
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
    ]
    # One use assigns it, and one gives it to `setup`: another may append to it.
    return values[0] if len(values) == 1 and len(uses) == 2 else uses[0]  # noqa: PLR2004


# -- others ----------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if content := re.sub(r"(^|\s)#.*", "", line).strip():
            yield content


def _requirements(path: Path) -> Declared:
    text = path.read_text(encoding="utf-8-sig")
    found = [line for line in _lines(text) if not line.startswith(("-i", "--", "\\"))]
    return Declared(tuple(found))


def _conda(path: Path) -> Declared:
    import yaml  # 20 ms, and few functions have such a file

    try:
        content = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError:
        return Declared()
    entries = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        return Declared()  # a file of another program
    return Declared(tuple(_from_conda(entries)))


def _from_conda(entries: Iterable[object]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, dict):
            yield from map(str, entry.get("pip", []))
        elif isinstance(entry, str):
            name, *version = re.split(r"\s*[=<>!~]", entry.rpartition("::")[2], maxsplit=1)
            if canonical_name(name) not in {"python", "pip", "setuptools", "wheel"}:
                number = version[0].partition("=")[0].lstrip("=") if version else ""
                yield f"{name}=={number}" if re.fullmatch(r"[\d.]+", number) else name


_READERS: Mapping[str, Reader] = {
    "pyproject.toml": _pyproject,
    "Pipfile": _pipfile,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
    "uv.lock": _uv_lock,
    "poetry.lock": _toml_lock,
    "pdm.lock": _toml_lock,
    "Pipfile.lock": _pipfile_lock,
    "pylock.toml": _pylock,
    "environment.yml": _conda,
    "environment.yaml": _conda,
}
