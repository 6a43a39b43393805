"""Find a function's own and shared files, and hash them."""

import functools
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path

from buildlib.cache.digests import Digests
from buildlib.errors import StageError
from buildlib.files import checkout, gitignore, left_out, names, walk
from buildlib.model import File, Function, Include, Origin
from buildlib.tree import patterns
from buildlib.tree.merge import both_become, is_same_init

Found = tuple[str, str, os.stat_result]


def sources(  # noqa: PLR0913, PLR0917 - each is one independent input
    root: Path,
    function: Function,
    digests: Digests,
    not_code: Container[str | None],
    leave: Callable[[str], None] = lambda _: None,
    packages: Sequence[Include] = (),
) -> list[Origin]:
    """Return a function's own and shared files, sorted by their paths in the ZIP.

    `not_code` are files that only the build needs: the requirements file and its lock. Files of
    other tools are left out, too (`left_out`), unless `include` or a `!` pattern names them;
    `leave` is called with the path in the ZIP of each of them. `packages` are those of projects in
    the repository that the function depends on.

    Raises:
        StageError: with every path that two files share, or that cannot be in a ZIP.

    """
    origin_of: dict[str, Origin] = {}
    problems = []
    found = list(_find(root, function, trees(function, packages), not_code, leave))
    skip = len(str(root)) + 1
    shown = [path[skip:].replace(os.sep, "/") for _, path, _ in found]
    checkout.check_links(root, [(p, s) for p, (_, _, s) in zip(shown, found, strict=True)])
    for path, (name, absolute, status) in zip(shown, found, strict=True):
        file = File(name, digests.sha256_of(absolute, status), status.st_size)
        origin = Origin(file, path, dependency=False)
        other = origin_of.setdefault(name, origin)
        if other.path != origin.path and not is_same_init(other, origin):
            problems.append(both_become(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    names.check_names(sorted(origin_of), f"{function.title}")
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
    trees: Iterable[Include],
    not_code: Container[str | None],
    leave: Callable[[str], None],
) -> Iterator[Found]:
    """Yield the path in the ZIP, the absolute path and the status of each own and shared file.

    `leave` is called with the path in the ZIP of each entry that is left out by default.
    """
    keep = patterns.excluder(function)
    named = patterns.names_again(function)
    ignored = gitignore.matcher(root) if function.gitignore else lambda _: False

    def is_kept(tree: Include, prefix: str, start: str, name: str) -> bool:
        if start + name in not_code:
            return False
        if keep is not None and not keep(prefix + name):
            return False
        path = f"{root}{os.sep}{start}{name}"
        is_left_out = (
            left_out.is_left_out(name, path, is_root=tree.path == ".")
            or _is_product(name, path, function)
            or ignored(start + name)
        )
        if not is_left_out or named(prefix + name):
            return True
        leave(prefix + name)
        return False

    for tree in trees:
        path = root / tree.path
        if not path.exists():
            msg = (
                f"{function.title}: '{tree.path}' does not exist, and no task of dodo.py "
                "has it as a target; create it, or correct the path in lambdas.yaml"
            )
            raise StageError(msg, "manifest")
        prefix = f"{tree.to}/" if tree.to else ""
        if path.is_file():  # it is named, so no default holds
            if keep is None or keep(tree.to):
                yield tree.to, str(path), path.stat()
        elif not prefix or keep is None or keep(prefix):
            start = "" if tree.path == "." else f"{tree.path}/"
            kept = functools.partial(is_kept, tree, prefix, start)
            yield from _below(root, function, tree, prefix, kept)


def trees(function: Function, packages: Sequence[Include] = ()) -> list[Include]:
    """Return the function's own folder or file, those of `include`, and `packages`."""
    own = [Include(function.source, "")] if function.has_source else []
    if function.module:
        own = [Include(function.within(function.module), function.module)]
    placed = [one._replace(to=function.prefix + one.to) for one in packages]
    return [*own, *function.include, *placed]


def _below(
    root: Path, function: Function, tree: Include, prefix: str, keep: patterns.Keep
) -> Iterator[Found]:
    """Yield the files of a folder, of which `only` may select some."""
    wanted = patterns.matcher(function, "include", tree.only) if tree.only else lambda _: True
    where = "" if tree.path == "." else tree.path
    for name, entry in walk.walk(root / tree.path, keep=keep, where=where, repository=root):
        if wanted(name):
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
