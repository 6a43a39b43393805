"""Files and folders: safe names, atomic writes, walks that refuse what cannot be archived."""

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from buildlib.errors import BuildError, StageError

# Never part of a function: bytecode differs by interpreter, the rest is left by tools.
JUNK_FOLDERS = frozenset({
    "__pycache__", ".git", ".hg", ".svn", ".venv", ".tox", ".nox",
    ".mypy_cache", ".pytest_cache", ".ruff_cache",
})  # fmt: skip
JUNK_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
BYTECODE = (".pyc", ".pyo")
# What `replacing` leaves behind when it is killed, such as that of a lock in a source folder.
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


def is_junk(name: str) -> bool:
    """Tell whether a file of this name never belongs into an artifact."""
    return (
        name in JUNK_FILES
        or name.endswith(BYTECODE)
        or (name.endswith(".tmp") and _TEMPORARY.fullmatch(name) is not None)
    )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a temporary file beside `path` that takes its place if all goes well.

    Whoever is killed half-way leaves the earlier `path` and a file that no one reads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write(path: Path, content: bytes) -> None:
    """Replace the content of `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Replace the content of `path` by a compact JSON text."""
    write(path, json.dumps(value, separators=(",", ":")).encode())


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is what it is
    """Return the JSON value in `path`; None if it is not there or damaged, as after a crash."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` against other processes and threads; wait as long as it takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _held(path, wait=True):
        yield


def is_locked(path: Path) -> bool:
    """Tell whether another process or thread holds the lock `path`."""
    if not path.exists():
        return False
    with _held(path, wait=False) as held:
        return not held


@contextlib.contextmanager
def cores(folder: Path) -> Iterator[int]:
    """Hold the processors that no other process or thread holds, at least one; give their number.

    So that `doit -n` does not run a thread for each processor in each of its processes, and a
    process that is alone still uses all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        locks = [folder / f"core-{core}.lock" for core in range(os.cpu_count() or 1)]
        yield sum(stack.enter_context(_held(lock, wait=False)) for lock in locks) or 1


@contextlib.contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock, and tell whether it was to be had: always, for who waits."""
    if sys.platform == "win32":
        from filelock import FileLock, Timeout  # noqa: PLC0415

        lock = FileLock(path, -1 if wait else 0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            yield False
        else:
            try:
                yield True
            finally:
                lock.release()
    else:  # as filelock does it, the import of which takes longer than most steps of an edit
        import fcntl  # noqa: PLC0415

        with path.open("a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                held = False
            else:
                held = True
            yield held


def explain(error: OSError) -> str:
    """Return what an operating-system error means, and what to do about it."""
    where = f"{error.filename}: " if error.filename else ""
    what = (error.strerror or str(error)).lower()
    remedy = {
        errno.ENOSPC: "free some space, then run doit again",
        errno.EDQUOT: "free some space, then run doit again",
        errno.EROFS: "make it writable, or build in another checkout",
        errno.EACCES: "check its owner and permissions",
        errno.EPERM: "check its owner and permissions",
        errno.ENOENT: "it went away meanwhile; run doit again",
        errno.ENOTDIR: "a file is where a folder should be; remove it, then run doit again",
        errno.EEXIST: "a file is where a folder should be; remove it, then run doit again",
        errno.EISDIR: "a folder is where a file should be; remove it, then run doit again",
        errno.ENAMETOOLONG: "shorten the path",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
    }.get(error.errno or 0)
    kept = "earlier artifacts are untouched"
    return f"{where}{what}; {remedy}; {kept}" if remedy else f"{where}{what}; {kept}"


def check_names(paths: Iterable[str], where: str) -> None:
    """Refuse names that could not be unpacked alike everywhere.

    Two names that are equal after Unicode NFC and case folding are one file on macOS and Windows;
    a backslash is a separator on Windows; a name that is not UTF-8 has no name in a ZIP.
    """
    problems = []
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        if not path.isascii():
            try:
                path.encode()
            except UnicodeEncodeError:
                shown = os.fsencode(path).decode(errors="backslashreplace")
                problems.append(f"{where}: the file name '{shown}' is not UTF-8; rename it")
                continue
            folded = unicodedata.normalize("NFC", path).casefold()
        else:
            folded = path.lower()
        if "\\" in path:
            problems.append(f"{where}: the file name '{path}' has a backslash; rename it")
        if (other := seen.setdefault(folded, path)) != path:
            problems.append(
                f"{where}: '{other}' and '{path}' are one file on macOS and Windows; rename one"
            )
        folder = folded.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = path
            folder = folder.rpartition("/")[0]
    problems += [
        f"{where}: '{seen[folder]}' is a file, and also the folder of '{path}'; rename one"
        for folder, path in folders.items()
        if folder in seen
    ]
    if problems:
        raise StageError("\n".join(problems), "file-name")


def walk(
    top: Path,
    *,
    keep: Callable[[str], bool] | None = None,
    where: str = "",
    junk: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the POSIX name and the directory entry of every regular file below `top`.

    A link counts as what it points to, as long as that is below `top`. `keep(name)` says whether
    a file, or with a trailing slash a folder, is wanted; what is not may be anything. `junk` gets
    the paths of what is passed over because it never belongs into an artifact.

    Raises:
        StageError: a link that leaves `top`, dangles or loops; a FIFO, socket or device.

    """
    stack: list[tuple[str, str, tuple[str, ...]]] = [(str(top), "", ())]
    while stack:
        folder, prefix, parents = stack.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                link = entry.is_symlink()
                is_folder = os.path.isdir(entry.path) if link else entry.is_dir()
                # By name alone: `.git` is a file in a submodule, `.venv` may be a link.
                if entry.name in JUNK_FOLDERS or (not is_folder and is_junk(entry.name)):
                    junk(entry.path)
                    continue
                if keep and not keep(name + "/" if is_folder else name):
                    continue
                if link:
                    _check_link(entry, os.path.realpath(top), f"{where}/{name}")
                if is_folder:
                    lineage = parents
                    if link:
                        real = os.path.realpath(entry.path)
                        above = (*parents, os.path.realpath(folder))
                        if any(_inside(parent, real) for parent in above):
                            msg = (
                                f"{where}/{name}: this link leads back to a folder that holds it; "
                                "remove it, or name it in 'exclude'"
                            )
                            raise StageError(msg, "link")
                        lineage = (*above, real)
                    stack.append((entry.path, name + "/", lineage))
                elif entry.is_file():
                    yield name, entry
                else:
                    kind = _kind(entry.stat().st_mode)
                    msg = (
                        f"{where}/{name}: {kind} cannot be part of a function; "
                        "remove it or name it in 'exclude'"
                    )
                    raise StageError(msg, "special-file")


def _check_link(entry: os.DirEntry[str], boundary: str, shown: str) -> None:
    real = os.path.realpath(entry.path)
    if not _inside(real, boundary):
        msg = (
            f"{shown}: this link leaves the folder, so its content would depend on the machine; "
            "copy the file, or name its folder in 'include'"
        )
        raise StageError(msg, "link")
    if not os.path.exists(real):
        msg = f"{shown}: this link points to nothing (or to itself); remove it"
        raise StageError(msg, "link")


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _kind(mode: int) -> str:
    names = {stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket"}
    return next((name for test, name in names.items() if test(mode)), "a device")


def _has_link(root: Path, path: str) -> bool:
    """Tell whether `path`, or a folder on the way to it from `root`, is a link."""
    way = str(root)
    for part in path.split("/"):
        way = f"{way}{os.sep}{part}"
        if os.path.islink(way):
            return True
    return False


def inside(root: Path, text: str, what: str) -> str:
    """Return `text` as a normal POSIX path relative to `root`, or raise if it leaves it.

    Raises:
        BuildError: the path is absolute, has a backslash, or leaves the repository by `..` or
            through a link.

    """
    if "\\" in text:
        msg = f"{what} '{text}': write '/' between folders, also on Windows"
        raise BuildError(msg, "manifest")
    if text.startswith("/") or (len(text) > 1 and text[1] == ":"):
        msg = f"{what} '{text}' must be relative to the folder of lambdas.yaml"
        raise BuildError(msg, "manifest")
    normal = os.path.normpath(text).replace(os.sep, "/")
    if normal == ".." or normal.startswith("../"):
        msg = f"{what} '{text}' leaves the repository; only what is inside it can be built alike"
        raise BuildError(msg, "manifest")
    if _has_link(root, normal) and not _inside(
        os.path.realpath(root / normal), os.path.realpath(root)
    ):
        msg = f"{what} '{text}' leaves the repository through a link; move or copy the content"
        raise BuildError(msg, "manifest")
    return normal
