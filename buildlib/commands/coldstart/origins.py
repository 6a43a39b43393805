"""The ZIP that each imported module comes from: the function's, or that of one of its layers.

Source: "Packaging your layer content" in the AWS Lambda developer guide: all layers are unpacked to
/opt, in their order, and a later one replaces files of those before it. Python looks for a module
in the function, and then in two folders of /opt.
"""

import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from buildlib.files import bytecode
from buildlib.model import LAYER_PREFIX, Variant
from buildlib.project.project import Project
from buildlib.runtimes import machine


class _Root(NamedTuple):
    """A folder on Python's path: the ZIP of each of its files, and all folders in it."""

    files: Mapping[str, Variant]
    folders: Collection[str]


class _Module(NamedTuple):
    """The file of a module, and the folder on Python's path that has it."""

    root: _Root
    path: str


# Where Python looks for a module: a folder on its path, and the folder of the package in it.
_Places = list[tuple[_Root, str]]


def names(project: Project, variant: Variant) -> list[str]:
    """Return the files in the ZIP of a function, or those in a layer that Python may import."""
    with zipfile.ZipFile(project.layout.zip(variant.id)) as archive:
        return [
            name
            for name in archive.namelist()
            if name.startswith(LAYER_PREFIX) or not variant.function.is_layer
        ]


def without_bytecode(project: Project, variant: Variant) -> list[Variant]:
    """Return the function and the layers of it that have modules and no bytecode, from dist/."""
    return [
        one
        for one in (variant, *project.layer_variants(variant))
        if not one.function.bytecode and any(path.endswith(".py") for path in names(project, one))
    ]


def uncompiled(
    project: Project, variant: Variant, modules: Iterable[str]
) -> list[tuple[Variant, int]]:
    """Return the number of modules that each start compiles, by the ZIP in dist/ that has them.

    The function comes first, then its layers. Modules of the runtime are in no ZIP.
    """
    every = [variant, *project.layer_variants(variant)]
    roots = _roots([(one, names(project, one)) for one in every], variant.python)
    counts = Counter(one.id for one in _compiled_by_starts(roots, modules, variant))
    return [(one, counts[one.id]) for one in every if counts[one.id]]


def _compiled_by_starts(
    roots: Sequence[_Root], modules: Iterable[str], variant: Variant
) -> Iterable[Variant]:
    for name in modules:
        found = _find(roots, name, _suffixes(variant))
        if found is None or not found.path.endswith(".py"):
            continue
        owner = found.root.files[found.path]
        is_cached = bytecode.cached(found.path, variant.python) in found.root.files
        if not is_cached and not owner.function.bytecode:
            yield owner


def _roots(zips: Sequence[tuple[Variant, Sequence[str]]], python: str) -> list[_Root]:
    """Return the folders on Python's path in their order; the first ZIP is the function's."""
    (function, own), *layers = zips
    opt = {name: layer for layer, found in layers for name in found}
    folders = (f"{LAYER_PREFIX}lib/python{python}/site-packages/", LAYER_PREFIX)
    trees: list[dict[str, Variant]] = [dict.fromkeys(own, function)]
    trees += [
        {name.removeprefix(top): layer for name, layer in opt.items() if name.startswith(top)}
        for top in folders
    ]
    return [_Root(tree, {folder for name in tree for folder in _parents(name)}) for tree in trees]


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _suffixes(variant: Variant) -> tuple[str, ...]:
    """Return the ends of a module's file in the order in which Python tries them."""
    tag = f"cpython-{variant.python.replace('.', '')}-{machine(variant.architecture)}-linux-gnu"
    return (f".{tag}.so", ".abi3.so", ".so", ".py", ".pyc")


def _find(roots: Sequence[_Root], name: str, suffixes: Sequence[str]) -> _Module | None:
    """Return a module as Python's path finder finds it; None if no ZIP has it.

    Source: "The import system" in Python's reference. A package with an `__init__` has one folder;
    a namespace package has all folders of its name, if no module has that name.
    """
    places: _Places = [(root, "") for root in roots]
    found = None
    for part in name.split("."):
        found, places = _next(places, part, suffixes)
    if found is None and "." in name:  # perhaps an `__init__` has extended its path, as pkgutil can
        path = name.replace(".", "/")
        folder, _, last = path.rpartition("/")
        found, _ = _next([(root, f"{folder}/") for root in roots], last, suffixes)
    return found


def _next(places: _Places, part: str, suffixes: Sequence[str]) -> tuple[_Module | None, _Places]:
    """Return a module, if one of the places has it, and the places of the modules below it."""
    folders: _Places = []
    for root, folder in places:
        base = f"{folder}{part}"
        for stem, below in ((f"{base}/__init__", [(root, f"{base}/")]), (base, [])):
            for suffix in suffixes:
                if f"{stem}{suffix}" in root.files:
                    return _Module(root, f"{stem}{suffix}"), below
        if base in root.folders:
            folders.append((root, f"{base}/"))
    return None, folders
