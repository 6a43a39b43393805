"""Advice for faster starts: unused imports, compiling, and files that no start needs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from buildlib.archive import contents
from buildlib.artifacts import possible
from buildlib.artifacts.possible import Possible
from buildlib.code import available
from buildlib.code.unused import unused
from buildlib.commands.coldstart import importtime, origins
from buildlib.commands.coldstart.importtime import Import
from buildlib.model import Variant
from buildlib.project.project import Project

# Times below this many ms are not worth an edit.
_WORTH = 5.0


class Unused(NamedTuple):
    """An import at the top of an own module whose name the module never uses.

    `place` is `path:line`, and `ms` the time of the imported package with all that it imports.
    """

    place: str
    name: str
    ms: float


class Advice(NamedTuple):
    """Possible savings: unused imports, the modules that each start compiles, and bytes in ZIPs.

    Each number of modules, and each saving, is of the ZIP of the variant next to it: the function,
    or one of its layers.
    """

    unused: Sequence[Unused]
    uncompiled: Sequence[tuple[Variant, int]]
    possible: Sequence[tuple[Variant, Possible]]


def find(project: Project, variant: Variant, root: Import | None) -> Advice:
    """Return the advice for a variant; its ZIP is in dist/, and `root` its handler's module."""
    unused = _unused_imports(project, variant, root) if root else []
    uncompiled = _uncompiled(project, variant, root) if root else []
    return Advice(unused, uncompiled, [*_possible(project, variant)])


def _unused_imports(project: Project, variant: Variant, root: Import) -> list[Unused]:
    """Return the imports that no own module uses and that take time, the longest first.

    Modules named `__init__` are left out: their imports are names for others.
    """
    found = []
    for path, line, name in unused(_own(project, variant), project.layout.root, variant.python):
        imported = importtime.find([root], name.partition(".")[0])
        if imported is not None and imported.all_ms >= _WORTH:
            found.append(Unused(f"{path}:{line}", name, imported.all_ms))
    return sorted(found, key=lambda one: (-one.ms, one.place))


def _uncompiled(project: Project, variant: Variant, root: Import) -> list[tuple[Variant, int]]:
    """Return how many modules each start compiles, by the ZIP without bytecode that has them."""
    known = available.standard_library(variant.python)
    modules = {one.name for one in root.modules() if one.name.partition(".")[0] not in known}
    return origins.uncompiled(project, variant, sorted(modules))


def _possible(project: Project, variant: Variant) -> Iterator[tuple[Variant, Possible]]:
    """Yield the savings of options in the function's ZIP, and in those of its layers."""
    for one in (variant, *project.layer_variants(variant)):
        files = contents.of_zip(project.layout.zip(one.id))
        for offer in possible.find(one.function, files, project.sources(one.function)):
            yield one, offer


def _own(project: Project, variant: Variant) -> list[str]:
    paths = (origin.path for origin in project.inputs(variant).own)
    return [path for path in paths if path.endswith(".py") and not path.endswith("__init__.py")]
