"""The dependencies of a function that are declared above its folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from buildlib.code import available, distributions, reader
from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate
from buildlib.errors import LockError
from buildlib.lock import declared
from buildlib.manifest import locations
from buildlib.text import canonical_name

# Modules of one function that are read.
_MOST = 300


# Distributions of tools, which make a file one of the repository and not of a function.
_TOOLS = frozenset({"aws-cdk-lib", "aws-sam-cli", "pytest", "chalice", "zappa", "troposphere"})


def complete(root: Path, function: Candidate) -> None:
    """Set the requirements of a function to the nearest file above that has its imports.

    If the file has more than functions need, or nothing that this one imports, a note says so.
    """
    source = str(function.source)
    path = _nearest(root, source)
    if path is None:
        return
    relative = os.path.relpath(path, source).replace(os.sep, "/")
    names = _declared(root, path)
    imported = set(_imports(root / source))
    if imported & names and not names & _TOOLS:
        function.requirements = path
        return
    if names & _TOOLS and not imported & names:
        return  # a file of the repository, from which this function imports nothing
    why = "it has no requirements of its own"
    if names & _TOOLS:
        why = f"{path} has tools of the repository ({', '.join(sorted(names & _TOOLS))})"
    function.notes.append(
        f"{why}; if it needs {path}, set 'requirements: {relative}', or write a requirements.txt "
        f"in {source}"
    )


def _nearest(root: Path, source: str) -> str | None:
    """Return the nearest file with dependencies above a folder."""
    folder = source
    while folder not in {"", "."}:
        folder = os.path.dirname(folder) or "."
        found = locations.default(root, folder)
        if len(found) == 1:
            return found[0]
    return None


def _declared(root: Path, path: str) -> set[str]:
    """Return the normalised names of the distributions that a file declares or locks."""
    try:
        found = declared.read(root, path)
    except LockError:
        return set()
    return {declared.requirement_name(line) for line in (*found.lines, *found.optional)} - {""}


def _imports(folder: Path) -> Iterator[str]:
    """Yield the normalised names of the distributions that the modules in a folder import."""
    modules: set[str] = set()
    for number, path in enumerate(sorted(folder.rglob("*.py"))):
        if number >= _MOST:
            break
        try:
            module = reader.read(path.read_bytes(), candidates.NEWEST)
        except OSError:
            continue
        modules |= {item.module for item in module.imports if not item.module.startswith(".")}
    own = {path.stem for path in folder.iterdir()}
    for name in sorted(modules):
        top = name.partition(".")[0]
        if top in own or available.has(top, candidates.NEWEST):
            continue
        likely = distributions.likely((name, top), folder / "no-environments")
        yield canonical_name((likely or top).partition("[")[0])
