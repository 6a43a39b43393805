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
    """Return a function's own and shared files, sorted by their paths in the ZIP.

    `not_code` are files that only the build needs: the requirements file and its lock.

    Raises:
        StageError: with every path that two files share, or that cannot be in a ZIP.

    """
    keep = excluder(function)
    origin_of: dict[str, Origin] = {}
    problems = []
    trees = [(function.source, ""), *((path, Path(path).name) for path in function.include)]
    for top, prefix in trees:
        for name, path, status in _files(root, top, prefix, keep):
            if not prefix and f"{top}/{name}" in not_code:
                continue
            file = File(name, digests.sha256_of(path, status), status.st_size)
            origin = Origin(file, path[len(str(root)) + 1 :].replace(os.sep, "/"), dependency=False)
            other = origin_of.setdefault(name, origin)
            if other is not origin and not is_same_init(other, origin):
                problems.append(both_become(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    names.check_names(sorted(origin_of), f"lambda '{function.name}'")
    return [origin_of[name] for name in sorted(origin_of)]


def _files(
    root: Path, top: str, prefix: str, keep: Keep | None
) -> Iterable[tuple[str, str, os.stat_result]]:
    """Yield the path in the ZIP, the absolute path and the status of each file of one source."""
    path = root / top
    if path.is_file():
        if keep is None or keep(prefix):
            yield prefix, str(path), path.stat()
        return
    keep_below = keep
    if prefix:
        prefix += "/"
        if keep is not None:
            if not keep(prefix):
                return
            keep_in_zip = keep

            def keep_below(name: str) -> bool:
                return keep_in_zip(prefix + name)

    for name, entry in walk.walk(path, keep=keep_below, where=top):
        yield prefix + name, entry.path, entry.stat()
