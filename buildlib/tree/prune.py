"""Leave out the modules of a function's folder that its handler does not reach by imports."""

from collections.abc import Callable, Sequence
from pathlib import Path

from buildlib.code import check, reader, resolve
from buildlib.code.reader import Module
from buildlib.model import Function, Include, Origin
from buildlib.tree.handler import module_of

# Reads a module by its path below the repository's root, for a Python.
Read = Callable[[str, str], Module]


def reader_of(root: Path) -> Read:
    """Return a reader that reads each module once for each Python, for all functions."""
    known: dict[tuple[str, str], Module] = {}

    def read(path: str, python: str) -> Module:
        if (path, python) not in known:
            known[path, python] = reader.read((root / path).read_bytes(), python)
        return known[path, python]

    return read


def prune(
    function: Function, own: Sequence[Origin], named: Sequence[Include], read: Read
) -> tuple[list[Origin], list[str]]:
    """Return the own files to ship, and the paths in the ZIP of the modules that are left out.

    A module is left out if it is in the function's folder, and no import from the handler's module
    on leads to it, for any Python of the function. Files that are no modules stay, and so do those
    that `named` has: modules that are loaded dynamically can be named in `include`.
    """
    by_path = {origin.file.path: origin for origin in own}
    handler = module_of(function.handler, by_path)
    if handler is None:
        return list(own), []
    modules = {path for path in by_path if path.endswith(".py")}
    reached: set[str] = set()
    for python in function.pythons:

        def visit(path: str, python: str = python) -> Module:
            reached.add(path)
            return read(by_path[path].path, python)

        check.missing(resolve.tree(by_path, modules, visit, python), handler, ())
    left = [
        path
        for path in sorted(modules - reached)
        if not any(_is_of(by_path[path], tree) for tree in named)
    ]
    dropped = set(left)
    return [origin for origin in own if origin.file.path not in dropped], left


def _is_of(origin: Origin, tree: Include) -> bool:
    return origin.path == tree.path or origin.path.startswith(f"{tree.path}/")
