"""What a function could do without: imports that it never uses, and compiling at each start."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib import programs
from buildlib.code import available
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
    for path, line, name in _unused(_own(project, variant), project.layout.root, variant.python):
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


def _unused(paths: Sequence[str], root: Path, python: str) -> Iterator[tuple[str, int, str]]:
    """Yield the path, the line and the name of each unused import (ruff's rule F401)."""
    if not paths:
        return
    from ruff import find_ruff_bin

    arguments = [
        *(programs.find(find_ruff_bin), "check", "--isolated", "--no-cache", "--quiet"),
        *("--select", "F401", "--target-version", f"py{python.replace('.', '')}"),
        *("--exit-zero", "--output-format", "json", "--", *paths),
    ]
    done = subprocess.run(  # noqa: S603 - ruff's own program, files of this repository
        arguments, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    try:
        problems = json.loads(done.stdout)
    except ValueError:  # advice is no reason to fail
        return
    for problem in problems:
        yield from _place(problem, root)


def _place(problem: Mapping[str, object], root: Path) -> Iterator[tuple[str, int, str]]:
    match problem:
        case {"filename": str(path), "location": {"row": int(line)}, "message": str(message)}:
            name = message.partition("`")[2].partition("`")[0].partition(" as ")[0]
            if name and Path(path).is_relative_to(root.resolve()):
                yield Path(path).relative_to(root.resolve()).as_posix(), line, name
