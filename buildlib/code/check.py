"""Follow the imports from a handler through the function's own code, without running it."""

import os
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from buildlib.code import available
from buildlib.code.reader import ALWAYS, NEVER, Import, Module


class Tree(NamedTuple):
    """The tree of a ZIP: the paths of all files, those of own sources, and a reader of the latter.

    `folders` are all folders that have files below them. `compiled` are the modules in machine
    code, without the ends of their names.
    """

    paths: set[str]
    folders: set[str]
    compiled: set[str]
    own: set[str]
    read: Callable[[str], Module]


class Missing(NamedTuple):
    """An import that nothing provides: its place, and the dotted name that is missing."""

    path: str
    line: int
    name: str
    # False if it need not run when Lambda imports the handler.
    is_certain: bool
    # The reason, for an import that fails with every package installed.
    problem: str = ""


def tree(paths: Collection[str], own: Collection[str], read: Callable[[str], Module]) -> Tree:
    """Return the tree with these files."""
    known, folders = set(paths), set[str]()
    compiled = {_stem(path) for path in known if path.endswith(".so")}
    for path in known:
        folder = os.path.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return Tree(known, folders, compiled, set(own), read)


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"


def missing(tree: Tree, handler: str, python: str, allowed: Collection[str]) -> list[Missing]:
    """Return the imports that fail, from the handler's module at the path `handler` on.

    `allowed` are dotted names that need not be there. An import that some module may reach by a
    change of `sys.path` is not certain to fail.
    """
    found: dict[tuple[str, int, str], Missing] = {}
    reached: dict[str, bool] = {}
    edits_path = False
    queue = [(handler, True)]
    while queue:
        path, certain = queue.pop(0)
        if path not in tree.own or (path in reached and reached[path] >= certain):
            continue
        reached[path] = certain
        module = tree.read(path)
        edits_path |= module.edits_path
        for item in module.imports:
            if item.place == NEVER:
                continue
            is_certain = certain and item.place == ALWAYS
            steps, name, problem = _resolve(tree, path, item, python)
            queue += ((step, is_certain) for step in steps)
            if name and not _is_allowed(name, allowed):
                key = (path, item.line, name)
                known = found.get(key)
                if known is None or is_certain > known.is_certain:
                    found[key] = Missing(path, item.line, name, is_certain, problem)
    return [
        item._replace(is_certain=item.is_certain and not (edits_path and not item.problem))
        for item in found.values()
    ]


def _is_allowed(name: str, allowed: Collection[str]) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in allowed)


def _resolve(tree: Tree, path: str, item: Import, python: str) -> tuple[list[str], str, str]:
    """Return the own files that an import runs, a missing name, and its problem."""
    relative = len(item.module) - len(item.module.lstrip("."))
    if relative:
        folder = path
        for _ in range(relative):
            if not folder:
                return [], item.module, "goes beyond the top-level package"
            folder = os.path.dirname(folder)
        if not folder:
            why = "is relative, but Lambda imports this module from the top of the ZIP"
            return [], item.module, why
        base = folder.split("/")
        parts = [*base, *filter(None, item.module[relative:].split("."))]
        return _walk(tree, parts, item.names)
    parts = item.module.split(".")
    if _exists(tree, parts[0]):
        return _walk(tree, parts, item.names)
    is_available = available.has(parts[0], python) or available.may_have(parts[0])
    return [], "" if is_available else item.module, ""


def _walk(tree: Tree, parts: list[str], names: tuple[str, ...]) -> tuple[list[str], str, str]:
    """Follow a dotted name through packages, down to where the tree alone does not decide."""
    steps: list[str] = []
    for length in range(1, len(parts) + 1):
        stem = "/".join(parts[:length])
        if not _exists(tree, stem):
            package = "/".join(parts[: length - 1])
            if length > 1 and not _is_decided(tree, package, parts[length - 1]):
                return steps, "", ""
            return steps, ".".join(parts[:length]), ""
        steps += _own(tree, stem)
    stem = "/".join(parts)
    for name in names:
        if _exists(tree, f"{stem}/{name}"):
            steps += _own(tree, f"{stem}/{name}")
        elif name != "*" and _is_namespace(tree, stem):
            return steps, f"{'.'.join(parts)}.{name}", ""
    return steps, "", ""


def _is_decided(tree: Tree, package: str, name: str) -> bool:
    """Tell whether a package surely has no submodule of this name, since no file has it.

    A regular package can make its submodules up when it runs, as `six.moves` does; our own code
    seldom does, and then it binds the name or has `__getattr__`.
    """
    if _is_namespace(tree, package):
        return True
    init = f"{package}/__init__.py"
    if init not in tree.own:
        return False
    module = tree.read(init)
    return not module.edits_path and module.names.isdisjoint({name, "*", "__getattr__", "__path__"})


def _is_namespace(tree: Tree, stem: str) -> bool:
    if stem not in tree.folders or not tree.compiled.isdisjoint({stem, f"{stem}/__init__"}):
        return False
    return tree.paths.isdisjoint({f"{stem}.py", f"{stem}/__init__.py"})


def _exists(tree: Tree, stem: str) -> bool:
    return f"{stem}.py" in tree.paths or stem in tree.folders or stem in tree.compiled


def _own(tree: Tree, stem: str) -> Iterator[str]:
    """Yield the own file that an import of a stem runs; a package comes before a module."""
    for path in (f"{stem}/__init__.py", f"{stem}.py"):
        if path in tree.paths:
            if path in tree.own:
                yield path
            return
