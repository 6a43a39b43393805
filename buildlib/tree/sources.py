"""Find a function's own and shared files, and hash them."""

import functools
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from buildlib.cache.digests import Digests
from buildlib.errors import StageError
from buildlib.files import checkout, left_out, names, walk
from buildlib.model import File, Function, Origin
from buildlib.tree import patterns
from buildlib.tree.merge import both_become, is_same_init

Found = tuple[str, str, os.stat_result]


def sources(
    root: Path,
    function: Function,
    digests: Digests,
    not_code: Container[str | None],
    leave: Callable[[str], None] = lambda _: None,
) -> list[Origin]:
    """Return a function's own and shared files, sorted by their paths in the ZIP.

    `not_code` are files that only the build needs: the requirements file and its lock. Files of
    other tools are left out, too (`left_out`), unless `include` or a `!` pattern names them;
    `leave` is called with the path in the ZIP of each of them.

    Raises:
        StageError: with every path that two files share, or that cannot be in a ZIP.

    """
    origin_of: dict[str, Origin] = {}
    problems = []
    found = list(_find(root, function, not_code, leave))
    skip = len(str(root)) + 1
    shown = [path[skip:].replace(os.sep, "/") for _, path, _ in found]
    checkout.check_links(root, [(p, s) for p, (_, _, s) in zip(shown, found, strict=True)])
    for path, (name, absolute, status) in zip(shown, found, strict=True):
        file = File(name, digests.sha256_of(absolute, status), status.st_size)
        origin = Origin(file, path, dependency=False)
        other = origin_of.setdefault(name, origin)
        if other is not origin and not is_same_init(other, origin):
            problems.append(both_become(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    names.check_names(sorted(origin_of), f"lambda '{function.name}'")
    return [origin_of[name] for name in sorted(origin_of)]


def named_in_code(
    root: Path, own: Iterable[Origin], paths: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield (module, path) for the `paths` that a string in an own module ends with.

    `paths` are those of files that are left out; a module is a path relative to `root`.
    """
    literals = {
        path: re.compile(rb"[\"'/]" + re.escape(path.rpartition("/")[2].encode()) + rb"[\"']")
        for path in paths
        if not path.endswith("/")
    }
    for origin in own if literals else ():
        if origin.file.path.endswith(".py"):
            content = (root / origin.path).read_bytes()
            yield from ((origin.path, p) for p, text in literals.items() if text.search(content))


def _find(
    root: Path,
    function: Function,
    not_code: Container[str | None],
    leave: Callable[[str], None],
) -> Iterator[Found]:
    """Yield the path in the ZIP, the absolute path and the status of each own and shared file.

    `leave` is called with the path in the ZIP of each entry that is left out by default.
    """
    keep = patterns.excluder(function)
    named = patterns.names_again(function)

    def is_kept(top: str, prefix: str, name: str) -> bool:
        if not prefix and f"{top}/{name}" in not_code:
            return False
        if keep is not None and not keep(prefix + name):
            return False
        path = f"{root}{os.sep}{top}{os.sep}{name}"
        if not (left_out.is_left_out(name, path) or _is_product(name, path, function)):
            return True
        if named(prefix + name):
            return True
        leave(prefix + name)
        return False

    for top, prefix in _trees(root, function):
        path = root / top
        if path.is_file():  # it is named, so no default holds
            name = prefix.rstrip("/")
            if keep is None or keep(name):
                yield name, str(path), path.stat()
        elif not prefix or keep is None or keep(prefix):
            yield from _below(root, top, prefix, functools.partial(is_kept, top, prefix))


def _trees(root: Path, function: Function) -> list[tuple[str, str]]:
    """Return the function's folder and what it includes, each with its prefix in the ZIP."""
    trees = [(function.source, ""), *((path, Path(path).name + "/") for path in function.include)]
    for path, _ in trees:
        if not (root / path).exists():
            msg = (
                f"lambda '{function.name}': '{path}' does not exist, and no task of dodo.py has it "
                "as a target; create it, or correct the path in lambdas.yaml"
            )
            raise StageError(msg, "manifest")
    return trees


def _below(root: Path, top: str, prefix: str, keep: patterns.Keep) -> Iterable[Found]:
    for name, entry in walk.walk(root / top, keep=keep, where=top, repository=root):
        yield prefix + name, entry.path, entry.stat()


def _is_product(name: str, path: str, function: Function) -> bool:
    """Tell whether a file is an earlier package of the function, made by another tool."""
    if "/" in name or not name.endswith(".zip"):
        return False
    import zipfile  # 4 ms, and few functions have one

    stem = function.handler.rpartition(".")[0].replace(".", "/")
    try:
        with zipfile.ZipFile(path) as archive:
            return not {f"{stem}.py", f"{stem}/__init__.py"}.isdisjoint(archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
