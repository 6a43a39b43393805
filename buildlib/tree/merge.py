"""Merge the function's own files with its dependencies: the list of files in the tree."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from buildlib.environment import record
from buildlib.errors import StageError
from buildlib.files import names
from buildlib.model import File, Function, Origin
from buildlib.tree.patterns import excluder


def merge(
    function: Function, own: Sequence[Origin], dependencies: Sequence[File], environment: Path
) -> tuple[list[Origin], dict[str, bytes]]:
    """Return all files of the tree, sorted, and the contents of those that had to be rewritten.

    `dependencies` are the files of the tree `environment`. The patterns of `exclude` hold for
    them too; a distribution's RECORD then lists only what is left of it.

    Raises:
        StageError: the function and a dependency have a file of the same name.

    """
    keep = excluder(function)
    kept = {file.path: file for file in dependencies if keep is None or keep(file.path)}
    rewritten: dict[str, bytes] = {}
    if len(kept) < len(dependencies):
        for path in [path for path in kept if path.endswith(".dist-info/RECORD")]:
            before = (environment / path).read_bytes()
            after = record.shortened_record(before, kept)
            if after != before:
                rewritten[path] = after
                kept[path] = File(path, hashlib.sha256(after).hexdigest(), len(after))
    found = {path: Origin(file, path, dependency=True) for path, file in kept.items()}
    problems = []
    for origin in own:
        other = found.setdefault(origin.file.path, origin)
        if other is not origin and not is_same_init(other, origin):
            problems.append(both_become(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    names.check_names(sorted(found), f"lambda '{function.name}'")
    return [found[name] for name in sorted(found, key=str.encode)], rewritten


def is_same_init(one: Origin, other: Origin) -> bool:
    """Tell whether both are one `__init__.py` that several parts of a package bring along."""
    name = one.file.path.rpartition("/")[2]
    return name == "__init__.py" and one.file.sha256 == other.file.sha256


def both_become(function: Function, one: Origin, other: Origin) -> str:
    """Return the error about two files that have one name in the ZIP."""

    def shown(origin: Origin) -> str:
        return f"the dependency's {origin.path}" if origin.dependency else origin.path

    return (
        f"lambda '{function.name}': {shown(one)} and {shown(other)} both become "
        f"'{other.file.path}' in the ZIP; rename or exclude one"
    )
