"""Savings at each start: imports that a function never uses, and compiling."""

from typing import NamedTuple

from buildlib.code import available
from buildlib.code.unused import unused
from buildlib.commands.coldstart import importtime
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


def unused_imports(project: Project, variant: Variant, root: Import) -> list[Unused]:
    """Return the imports that no own module uses and that take time, the longest first.

    Modules named `__init__` are left out: their imports are names for others.
    """
    found = []
    for path, line, name in unused(_own(project, variant), project.layout.root, variant.python):
        imported = importtime.find([root], name.partition(".")[0])
        if imported is not None and imported.all_ms >= _WORTH:
            found.append(Unused(f"{path}:{line}", name, imported.all_ms))
    return sorted(found, key=lambda one: (-one.ms, one.place))


def uncompiled(variant: Variant, root: Import) -> int:
    """Return how many modules of the ZIP each start compiles, if it has no bytecode."""
    if variant.function.bytecode:
        return 0
    known = available.standard_library(variant.python)
    return sum(one.name.partition(".")[0] not in known for one in root.modules())


def _own(project: Project, variant: Variant) -> list[str]:
    paths = (origin.path for origin in project.inputs(variant).own)
    return [path for path in paths if path.endswith(".py") and not path.endswith("__init__.py")]
