"""Find a function's own and shared files, and hash them."""

import os
from collections.abc import Container, Iterable
from pathlib import Path

from buildlib.cache.digests import Digests
from buildlib.errors import StageError
from buildlib.files import names, walk
from buildlib.model import File, Function, Origin
from buildlib.tree.merge import both_become, is_same_init
from buildlib.tree.patterns import Keep, excluder


def sources(
    root: Path, function: Function, digests: Digests, not_code: Container[str | None]
) -> list[Origin]:
    """Return a function's own files and the shared ones, sorted by their names in the ZIP.

    `not_code` are files that are there for the build only: its requirements and its lock.

    Raises:
        StageError: two of them have one name, or one cannot be in a ZIP; all are named.

    """
    keep = excluder(function)
    found: dict[str, Origin] = {}
    problems = []
    trees = [(function.source, ""), *((path, Path(path).name) for path in function.include)]
    for top, prefix in trees:
        for name, path, status in _files(root, top, prefix, keep):
            if not prefix and f"{top}/{name}" in not_code:
                continue
            file = File(name, digests.of(path, status), status.st_size)
            origin = Origin(file, path[len(str(root)) + 1 :].replace(os.sep, "/"), dependency=False)
            other = found.setdefault(name, origin)
            if other is not origin and not is_same_init(other, origin):
                problems.append(both_become(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    names.check_names(sorted(found), f"lambda '{function.name}'")
    return [found[name] for name in sorted(found)]


def _files(
    root: Path, top: str, prefix: str, keep: Keep | None
) -> Iterable[tuple[str, str, os.stat_result]]:
    """Yield the name in the ZIP, the absolute path and the status of the files of one source."""
    path = root / top
    if path.is_file():
        if keep is None or keep(prefix):
            yield prefix, str(path), path.stat()
        return
    inner = keep
    if prefix:
        prefix += "/"
        if keep is not None:
            if not keep(prefix):
                return
            outer = keep

            def inner(name: str) -> bool:
                return outer(prefix + name)

    for name, entry in walk.walk(path, keep=inner, where=top):
        yield prefix + name, entry.path, entry.stat()
