"""Dependencies, the function's own code and shared code become the tree that will be in the ZIP."""

import ast
import contextlib
import functools
import hashlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path

from buildlib import files, normalise
from buildlib.digest import Digests
from buildlib.errors import StageError
from buildlib.model import File, Function, Origin, Variant

_logger = logging.getLogger(__name__)

Keep = Callable[[str], bool]


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
            if other is not origin and not _same_init(other, origin):
                problems.append(_both(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    files.check_names(sorted(found), f"lambda '{function.name}'")
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

    for name, entry in files.walk(path, keep=inner, where=top):
        yield prefix + name, entry.path, entry.stat()


def excluder(function: Function) -> Keep | None:
    """Return what tells whether a name is kept under a function's `exclude`; None keeps all.

    As in a .gitignore, nothing below a folder that is excluded can be kept.

    Raises:
        StageError: one of them is no pattern.

    """
    if not function.exclude:
        return None
    is_excluded = matcher(function, "exclude", function.exclude)

    @functools.cache
    def is_kept_folder(name: str) -> bool:
        return is_kept(name + "/")

    def is_kept(name: str) -> bool:
        folder = name.rstrip("/").rpartition("/")[0]
        return (not folder or is_kept_folder(folder)) and not is_excluded(name)

    return is_kept


def matcher(function: Function, key: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a name matches the patterns of a function's `key`.

    Raises:
        StageError: one of them is no pattern.

    """
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 40 ms, and many manifests have no patterns

    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except (ValueError, re.error):
            msg = (
                f"lambda '{function.name}': {key} '{pattern}' is not a pattern of a .gitignore; "
                "see 'git help gitignore'"
            )
            raise StageError(msg, "pattern") from None
    return GitIgnoreSpec.from_lines(patterns).match_file


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
            after = normalise.shortened_record(before, kept)
            if after != before:
                rewritten[path] = after
                kept[path] = File(path, hashlib.sha256(after).hexdigest(), len(after))
    found = {path: Origin(file, path, dependency=True) for path, file in kept.items()}
    problems = []
    for origin in own:
        other = found.setdefault(origin.file.path, origin)
        if other is not origin and not _same_init(other, origin):
            problems.append(_both(function, other, origin))
    if problems:
        raise StageError("\n".join(problems), "file-twice")
    files.check_names(sorted(found), f"lambda '{function.name}'")
    return [found[name] for name in sorted(found, key=str.encode)], rewritten


def _same_init(one: Origin, other: Origin) -> bool:
    """Tell whether both are one `__init__.py` that several parts of a package bring along."""
    name = one.file.path.rpartition("/")[2]
    return name == "__init__.py" and one.file.sha256 == other.file.sha256


def _both(function: Function, one: Origin, other: Origin) -> str:
    def shown(origin: Origin) -> str:
        return f"the dependency's {origin.path}" if origin.dependency else origin.path

    return (
        f"lambda '{function.name}': {shown(one)} and {shown(other)} both become "
        f"'{other.file.path}' in the ZIP; rename or exclude one"
    )


def sync(  # noqa: PLR0913 - each is one independent input of the tree
    origins: Sequence[Origin],
    rewritten: Mapping[str, bytes],
    tree: Path,
    *,
    previous: Mapping[str, str],
    root: Path,
    environment: Path,
    whole: bool = True,
) -> list[str]:
    """Make the folder `tree` hold exactly `origins`, and return the names of what had to be made.

    `previous` gives the sha256 of the files that an earlier sync left there; one whose size or
    mtime is no longer as `touch` left it is made again. The files of dependencies are hard links
    into the environment where the system allows it: their metadata is not ours, and is left alone.
    Unless it is the `whole` tree that `origins` are of, only what they and `previous` name counts.

    Raises:
        StageError: a source changed after it was hashed.

    """
    wanted = {origin.file.path: origin for origin in origins}
    there = dict(_present(tree) if whole else _among(tree, {*previous, *wanted}))
    if surplus := there.keys() - wanted.keys():
        for path in surplus:
            os.unlink(tree / path)
        _remove_empty_folders(tree)  # a folder may have to become a file
    made: list[str] = []
    folders: dict[str, bool] = {}  # whether each was there before
    for path, origin in wanted.items():
        linked = origin.dependency and path not in rewritten
        same = previous.get(path) == origin.file.sha256
        if path in there and _is_kept(
            there[path], origin, same=same, environment=environment if linked else None
        ):
            continue
        target = f"{tree}{os.sep}{path}"
        folder = os.path.dirname(target)
        if folder not in folders:
            folders[folder] = os.path.isdir(folder)
            os.makedirs(folder, exist_ok=True)
        if path in there:
            os.unlink(target)
        elif folders[folder] and os.path.isdir(target):  # left empty by a run that was killed
            files.remove(Path(target))
        if linked and _link(f"{environment}{os.sep}{origin.path}", target):
            continue
        if path in rewritten:
            Path(target).write_bytes(rewritten[path])
        else:
            # Dependencies where nothing can be linked: another file system, or too many links.
            _copy((environment if linked else root) / origin.path, target, origin)
        made.append(path)
    return made


def _is_kept(
    status: os.stat_result, origin: Origin, *, same: bool, environment: Path | None
) -> bool:
    """Tell whether a staged file is what it should be: the environment's own, or as touched."""
    if status.st_size != origin.file.size:
        return False
    if same and status.st_mtime_ns == normalise.MTIME * 1_000_000_000:
        return True
    if environment is None:
        return False
    return os.stat(f"{environment}{os.sep}{origin.path}").st_ino == status.st_ino


def intact(tree: Path, origins: Sequence[Origin], environment: Path) -> bool:
    """Tell whether a staged tree still is what was staged and touched there."""
    there = dict(_present(tree))
    if there.keys() != {origin.file.path for origin in origins}:
        return False
    try:
        return all(
            _is_kept(
                there[origin.file.path],
                origin,
                same=True,
                environment=environment if origin.dependency else None,
            )
            for origin in origins
        )
    except FileNotFoundError:
        return False


def _present(tree: Path) -> Iterable[tuple[str, os.stat_result]]:
    """Yield the name and the status of each file of a tree."""
    stack = [(str(tree), "")]
    while stack:
        folder, prefix = stack.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                stack.append((entry.path, f"{prefix}{entry.name}/"))
            else:
                yield prefix + entry.name, entry.stat(follow_symlinks=False)


def _among(tree: Path, paths: Iterable[str]) -> Iterable[tuple[str, os.stat_result]]:
    """Yield the name and the status of those of some files that are in a tree."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            yield path, os.lstat(f"{tree}{os.sep}{path}")


def has_folders(tree: Path, paths: Iterable[str]) -> bool:
    """Tell whether all folders of some files are in a tree, and none is a link."""
    top = os.path.realpath(tree)
    folders = {f"{top}{os.sep}{path}".rpartition("/")[0] for path in paths}
    return all(os.path.isdir(folder) and os.path.realpath(folder) == folder for folder in folders)


def _link(source: str, target: str) -> bool:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def _copy(source: Path, target: str, origin: Origin) -> None:
    digest = hashlib.sha256()
    with source.open("rb") as reader, open(target, "wb") as writer:
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
            writer.write(chunk)
    if digest.hexdigest() != origin.file.sha256:
        os.unlink(target)
        msg = f"{origin.path}: changed while it was read; run doit again"
        raise StageError(msg, "changed")


def _remove_empty_folders(tree: Path) -> None:
    for folder, _, leaves in os.walk(tree, topdown=False):
        if not leaves and folder != str(tree) and not os.listdir(folder):
            os.rmdir(folder)


def check_handler(variant: Variant, origins: Iterable[Origin], tree: Path) -> str | None:
    """Check that the handler's module is in the tree and defines the function, without running it.

    Returns the module's path; None if it is machine code, which cannot be looked into.

    Raises:
        StageError: with the functions that the module does define.

    """
    function = variant.function
    module, _, name = function.handler.rpartition(".")
    stem = module.replace(".", "/")
    paths = {origin.file.path: origin for origin in origins}
    # As Python looks for it: a package comes before a module of the same name.
    path = next((path for path in (f"{stem}/__init__.py", f"{stem}.py") if path in paths), None)
    where = f"lambda '{function.name}': handler '{function.handler}'"
    if path is None:
        if any(path.startswith(f"{stem}.") and path.endswith(".so") for path in paths):
            return None
        msg = (
            f"{where}: there is no {stem}.py in the ZIP; its top has {_modules(paths)}. "
            "Correct 'handler', or 'source', in lambdas.yaml"
        )
        raise StageError(msg, "handler")
    text = (tree / path).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those about the code are its author's business
            body = ast.parse(text, path).body
    except SyntaxError as error:
        shown = path if paths[path].dependency else paths[path].path
        if sys.version_info[:2] < tuple(map(int, variant.python.split("."))) and re.search(
            rf"^((async\s+)?def|class)\s+{name}\b|^{name}\s*=|import\b.*\b{name}\b",
            text.decode(errors="replace"),
            re.MULTILINE,
        ):
            # Perhaps syntax of a Python that is newer than doit's; the name is there.
            _logger.warning(
                "%s: %s:%s: %s, to Python %d.%d, which runs doit; if it is none to %s either, "
                "Lambda cannot import it",
                *(where, shown, error.lineno or 1, error.msg, *sys.version_info[:2]),
                variant.python,
            )
            return path
        msg = f"{where}: {shown}:{error.lineno or 1}: {error.msg}"
        raise StageError(msg, "handler") from None
    names, complete = _defined(body)
    if complete and name not in names:
        functions = [n.name for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        functions = [name for name in functions if name[0] != "_"] or functions
        msg = (
            f"{where}: {path} does not define '{name}'; "
            f"it defines {', '.join(functions) or 'no function'}. "
            "Name one of these in 'handler', in lambdas.yaml, or define it"
        )
        raise StageError(msg, "handler")
    return path


def _modules(paths: Iterable[str]) -> str:
    names = sorted(p for p in paths if p.endswith(".py") and "/" not in p)
    return ", ".join(names[:8]) or "no module"


def _defined(body: Iterable[ast.stmt]) -> tuple[set[str], bool]:
    """Return the names that statements bind at the top of a module, and whether these are all."""
    names: set[str] = set()
    complete = True
    for statement in body:
        match statement:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                for alias in aliases:
                    names.add(alias.asname or alias.name.partition(".")[0])
                    complete = complete and alias.name != "*"
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        names.add(node.id)
                inner, whole = _defined(
                    child
                    for child in ast.walk(statement)
                    if isinstance(
                        child,
                        ast.FunctionDef
                        | ast.AsyncFunctionDef
                        | ast.ClassDef
                        | ast.Import
                        | ast.ImportFrom,
                    )
                )
                names |= inner
                complete = complete and whole
    return names, complete
