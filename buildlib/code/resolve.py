"""Find the files of a tree that an import runs, as Python's path finder does."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from buildlib.code import available
from buildlib.code.reader import Import, Module

PACKAGE, MODULE, COMPILED, NAMESPACE = "package", "module", "compiled", "namespace"


class Tree(NamedTuple):
    """The tree of a ZIP: the paths of all files, those of own sources, and a reader of the latter.

    `folders` are all folders that have files below them. `compiled` are the modules in machine
    code, without the ends of their names. `python` is a version such as `3.13`.
    """

    paths: set[str]
    folders: set[str]
    compiled: set[str]
    own: set[str]
    read: Callable[[str], Module]
    python: str


class Gap(NamedTuple):
    """A dotted name that an import does not find.

    `broken` is the part of it that is missing: all below it is missing, too. `wanted` are the
    dotted names that the import is for. `problem` is the reason of an import that fails with every
    package installed, and `target` the own file that it speaks of.
    """

    name: str
    broken: str
    wanted: tuple[str, ...] = ()
    problem: str = ""
    target: str = ""


class Found(NamedTuple):
    """The own files that an import runs, in order, and the names that it does not find."""

    steps: list[str]
    gaps: list[Gap]


def tree(
    paths: Collection[str], own: Collection[str], read: Callable[[str], Module], python: str
) -> Tree:
    """Return the tree with these files."""
    known, folders, compiled = set(paths), set[str](), set[str]()
    for path in known:
        folder, _, name = path.rpartition("/")
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
        stem, _, end = name.partition(".")
        if end.endswith("so") and _is_loadable(end, python):
            compiled.add(path[: len(path) - len(name)] + stem)
    return Tree(known, folders, compiled, set(own), read, python)


def _is_loadable(end: str, python: str) -> bool:
    """Tell whether a Python takes a name's end as that of an extension module."""
    tag = f"cpython-{python.replace('.', '')}-"
    return end in {"so", "abi3.so"} or (end.startswith(tag) and end.endswith(".so"))


def packages(path: str) -> Iterator[str]:
    """Yield the `__init__.py` of each package around the module at a path, the outer ones first."""
    parts = path.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        init = f"{'/'.join(parts[:length])}/__init__.py"
        if init != path:
            yield init


def resolve(tree: Tree, path: str, item: Import, roots: Sequence[str]) -> Found:
    """Follow an import in the module at `path`.

    `roots` are the folders on Python's search path; the first one, which is empty, is the top.
    """
    level = len(item.module) - len(item.module.lstrip("."))
    if level:
        return _relative(tree, path, item, level)
    parts = item.module.split(".")
    kinds = {root: kind(tree, f"{root}{parts[0]}") for root in roots}
    for root, what in kinds.items():
        if what not in {"", NAMESPACE}:
            return _walk(tree, path, root, parts, item.names)
    # A folder without `__init__.py` gives way to any module further on in the search path.
    if available.has(parts[0], tree.python) or available.may_have(parts[0]):
        return Found([], _lacking(item, tree.python))
    portions = [_walk(tree, path, root, parts, item.names) for root, what in kinds.items() if what]
    if portions:
        return min(portions, key=lambda found: len(found.gaps))
    return Found([], [Gap(item.module, parts[0], _wanted(item))])


def _lacking(item: Import, python: str) -> list[Gap]:
    """Return the names that the runtime lacks although it has the first part of them."""
    full = [item.module, *(f"{item.module}.{name}" for name in item.names)]
    names = [available.lacks(name.split("."), python) for name in full]
    return [Gap(name, name) for name in dict.fromkeys(filter(None, names))]


def _wanted(item: Import) -> tuple[str, ...]:
    names = [name for name in item.names if name != "*"]
    return tuple(f"{item.module}.{name}" for name in names) or (item.module,)


def _relative(tree: Tree, path: str, item: Import, level: int) -> Found:
    folder = path
    for _ in range(level):
        if not folder:
            why = "goes beyond the top-level package"
            return Found([], [Gap(item.module, item.module, problem=why)])
        folder = os.path.dirname(folder)
    if not folder:
        why = "is relative, but Lambda imports this module from the top of the ZIP"
        return Found([], [Gap(item.module, item.module, problem=why)])
    parts = [*folder.split("/"), *filter(None, item.module[level:].split("."))]
    return _walk(tree, path, "", parts, item.names)


def kind(tree: Tree, stem: str) -> str:
    """Return the kind of module at a path without its end; empty if Python finds none."""
    if f"{stem}/__init__.py" in tree.paths or f"{stem}/__init__" in tree.compiled:
        return PACKAGE
    if stem in tree.compiled:
        return COMPILED
    if f"{stem}.py" in tree.paths:
        return MODULE
    return NAMESPACE if stem in tree.folders else ""


def _walk(tree: Tree, path: str, root: str, parts: list[str], names: tuple[str, ...]) -> Found:
    """Follow a dotted name through packages, down to where the tree alone does not decide."""
    steps: list[str] = []
    wanted = tuple(".".join([*parts, name]) for name in names if name != "*")
    for length in range(1, len(parts) + 1):
        stem, outer = (root + "/".join(parts[:end]) for end in (length, length - 1))
        is_inside = length == 1 or kind(tree, outer) in {PACKAGE, NAMESPACE}
        if not is_inside or not kind(tree, stem):
            if length > 1 and not _is_decided(tree, outer, parts[length - 1]):
                return Found(steps, [])
            name, problem = ".".join(parts[:length]), ""
            target = _source(tree, outer) if length > 1 else ""
            if length > 1 and kind(tree, outer) == MODULE:
                problem = "needs a package, but {target} is a module"
            return Found(steps, [Gap(name, name, wanted, problem, target)])
        steps += _own(tree, stem)
    stem = root + "/".join(parts)
    gaps = []
    for name in names:
        if kind(tree, f"{stem}/{name}"):
            steps += _own(tree, f"{stem}/{name}")
        elif name != "*" and not name.startswith("__") and _is_decided(tree, stem, name, path):
            full, target = ".".join([*parts, name]), _source(tree, stem)
            problem = "fails: {target} does not define it" if target else ""
            gaps.append(Gap(full, full, (full,), problem, target))
    return Found(steps, gaps)


def _is_decided(tree: Tree, stem: str, name: str, importer: str = "") -> bool:
    """Tell whether a package or module surely has no such name, since no file below it has.

    A dependency can make names up when it runs, as `six.moves` does; a function's own code seldom
    does, and then it can be seen.
    """
    if kind(tree, stem) == NAMESPACE:
        return True
    path = _source(tree, stem)
    if path not in tree.own:
        return False
    module = tree.read(path)
    if module.is_dynamic or module.edits_path:
        return False
    # A name that a package imports from itself has to be there before.
    return name not in module.names or (path == importer and name in module.siblings)


def _source(tree: Tree, stem: str) -> str:
    """Return the file that an import of a stem runs; empty for machine code and namespaces."""
    ends = {PACKAGE: "/__init__.py", MODULE: ".py"}
    path = stem + ends.get(kind(tree, stem), "")
    return path if path in tree.paths else ""


def _own(tree: Tree, stem: str) -> Iterator[str]:
    """Yield the own file that an import of a stem runs."""
    if (path := _source(tree, stem)) in tree.own:
        yield path
