"""Merge a function's own files and its dependencies into the list of files of the tree."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from buildlib.errors import StageError
from buildlib.files import bytecode as paths
from buildlib.files import names
from buildlib.model import File, Function, Origin
from buildlib.tree import services
from buildlib.tree.patterns import excluder


def merge(
    function: Function, own: Sequence[Origin], dependencies: Sequence[File], environment: Path
) -> tuple[list[Origin], dict[str, bytes]]:
    """Return all files of the tree, sorted, and the contents of rewritten files by their paths.

    `dependencies` are the files in the folder `environment`. The patterns of `exclude` apply to
    them too, and `aws_services` to those of botocore. RECORD then lists only a distribution's
    remaining files, so it is rewritten. Bytecode is there if and only if its source is, or would be
    without `sources: false`.

    Raises:
        StageError: the function and a dependency have different files at one path.

    """
    keep, prefix = excluder(function), function.prefix
    describes = services.keeper(function)
    kept = {
        file.path: file
        for file in dependencies
        if (keep is None or keep(prefix + paths.source_of(file.path)))
        and (describes is None or describes(file.path))
    }
    rewritten: dict[str, bytes] = {}
    place_of = {path: paths.shipped(path, function) for path in kept}
    replaced = {
        paths.source_of(path): file._replace(path=place_of[path])
        for path, file in kept.items()
        if place_of[path] != path
    }
    if len(kept) < len(dependencies) or replaced:
        from buildlib.environment import record

        for path in [path for path in kept if path.endswith(".dist-info/RECORD")]:
            before = (environment / path).read_bytes()
            after = record.shortened_record(before, kept, replaced)
            if after != before:
                rewritten[path] = after
                kept[path] = File(path, hashlib.sha256(after).hexdigest(), len(after))
    origin_of = {
        prefix + place_of[path]: Origin(
            file._replace(path=prefix + place_of[path]), path, dependency=True
        )
        for path, file in kept.items()
    }
    rewritten = {prefix + path: content for path, content in rewritten.items()}
    problems = []
    for origin in own:
        other = origin_of.setdefault(origin.file.path, origin)
        if other is not origin and not is_same_init(other, origin):
            problems.append(both_become(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    names.check_names(sorted(origin_of), f"{function.title}")
    return [origin_of[path] for path in sorted(origin_of, key=str.encode)], rewritten


def is_same_init(one: Origin, other: Origin) -> bool:
    """Tell whether both are the same `__init__.py`, which several parts of a package may ship.

    The same bytecode of it is as well.
    """
    name = paths.source_of(one.file.path).rpartition("/")[2]
    return name == "__init__.py" and one.file.sha256 == other.file.sha256


def both_become(function: Function, one: Origin, other: Origin) -> str:
    """Return the error about two files that would have the same path in the ZIP."""

    def label(origin: Origin) -> str:
        return f"the dependency's {origin.path}" if origin.dependency else origin.path

    return (
        f"{function.title}: {label(one)} and {label(other)} both become "
        f"'{other.file.path}' in the ZIP; rename or exclude one"
    )
