"""Files of dependencies that a function can do without, as patterns for `exclude`.

A folder counts only if no module outside of it imports it: botocore imports `botocore.docs`.
"""

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import NamedTuple

from buildlib.files import bytecode

_FOLDERS = ("tests", "test", "docs", "doc")


_STUBS = "*.pyi"


# An import statement, also over several lines.
_IMPORTS = re.compile(
    rb"^[ \t]*(?:from\s+[\w. ]+\s+import\s*\([^)]*\)|from\s+[^\n]+|import\s+[^\n]+)", re.MULTILINE
)


_FROM = re.compile(r"from\s+([\w.]+)\s+import\s+(\([^)]*\)|[^\n]+)")


# A module's name in a text, as `importlib.import_module("package.tests")` has it.
_NAMED = re.compile(rb"[\"']\.?[A-Za-z_]\w*(?:\.\w+)+[\"']")


# Packages that use it read their stubs when they run (PyPI: lazy-loader).
_READS_STUBS = b"attach_stub"


class Files(NamedTuple):
    """The files of a tree or of a ZIP: sizes in bytes by path, and a reader of their contents.

    `identity` returns a value by which equal contents are known, without reading them.
    """

    sizes: Mapping[str, int]
    read: Callable[[str], bytes]
    identity: Callable[[str], Hashable]


class Words(NamedTuple):
    """The words of the import statements of a module, and the dotted names in it."""

    words: frozenset[str]
    names: frozenset[str]
    reads_stubs: bool


# The words of modules by the identity of their content, for several ZIPs with the same packages.
Known = dict[Hashable, Words]


def patterns(files: Files, own: Collection[str], known: Known | None = None) -> dict[str, str]:
    """Return the pattern for `exclude` of each file of a dependency that is not needed.

    `own` are the paths of the function's own files. They are kept, and their imports count. Modules
    that are in `known` are not searched again, and others are added to it.
    """
    folders: dict[str, list[str]] = {}
    stubs: list[str] = []
    for path in files.sizes.keys() - own:
        if folder := _folder(path):
            folders.setdefault(folder, []).append(path)
        elif path.endswith(".pyi"):
            stubs.append(path)
    if not folders and not stubs:
        return {}
    if any(bytecode.is_alone(path) for path in files.sizes):  # the code cannot be searched
        return {}
    inside = {path for paths in folders.values() for path in paths}
    others = (path for path in files.sizes if path not in inside)
    scanned = _Scan(files, others, {} if known is None else known)
    used = {folder for folder in folders if scanned.imports(folder)}
    found = {} if scanned.reads_stubs else dict.fromkeys(stubs, _STUBS)
    for folder, paths in folders.items():
        if folder not in used:
            found |= dict.fromkeys(paths, _pattern(folder, used))
    return found


def _pattern(folder: str, used: Collection[str]) -> str:
    """Return the shortest pattern that covers a folder, and none of the used ones."""
    top, name = folder.partition("/")[0], folder.rpartition("/")[2]
    same_name = [other for other in used if other.rpartition("/")[2].lower() == name.lower()]
    if not same_name:
        return f"{name}/"
    if folder != top and not any(other.partition("/")[0] == top for other in same_name):
        return f"/{top}/**/{name}/"
    return f"/{folder}/"


def _folder(path: str) -> str:
    """Return the outermost folder of tests or documentation that a file is in."""
    parts = path.split("/")[:-1]
    for length, part in enumerate(parts, 1):
        if part.lower() in _FOLDERS:
            return "/".join(parts[:length])
    return ""


class _Scan:
    """The words of the import statements in the modules of a tree, by their top folders."""

    def __init__(self, files: Files, paths: Iterable[str], known: Known) -> None:
        self.reads_stubs = False
        self._words: dict[str, set[str]] = {}
        self._names: set[str] = set()
        for path in paths:
            if not path.endswith(".py"):
                continue
            identity = files.identity(path)
            if identity not in known:
                known[identity] = _search(files.read(path))
            found = known[identity]
            self.reads_stubs |= found.reads_stubs
            self._words.setdefault(path.partition("/")[0], set()).update(found.words)
            self._names |= found.names

    def imports(self, folder: str) -> bool:
        """Tell whether a module may import a folder: by its name there, or by its whole name."""
        name = folder.replace("/", ".")
        words = self._words.get(folder.partition("/")[0], set())
        return folder.rpartition("/")[2] in words or any(
            known == name or known.startswith(f"{name}.") for known in self._names
        )


def _search(content: bytes) -> Words:
    statements = b"\n".join(_IMPORTS.findall(content)).decode(errors="replace")
    names = set(re.findall(r"\w+(?:\.\w+)+", statements))
    for module, imported in _FROM.findall(statements):
        names.update(f"{module}.{name}" for name in re.findall(r"\w+", imported))
    named = b" ".join(_NAMED.findall(content)).decode(errors="replace")
    names.update(re.findall(r"\w+(?:\.\w+)+", named))
    words = frozenset(re.findall(r"\w+", statements))
    return Words(words, frozenset(names), _READS_STUBS in content)
