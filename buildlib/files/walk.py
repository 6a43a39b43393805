"""Walk a folder: yield the regular files, and refuse entries that an archive cannot hold."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from buildlib.errors import StageError
from buildlib.files import atomic, links
from buildlib.files.names import is_inside

# Never part of a function: bytecode depends on the interpreter, the others are for tools.
JUNK_FOLDERS = frozenset({
    "__pycache__", ".git", ".hg", ".svn", ".venv", ".tox", ".nox",
    ".mypy_cache", ".pytest_cache", ".ruff_cache",
})  # fmt: skip


JUNK_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


BYTECODE = (".pyc", ".pyo")


def is_junk(name: str) -> bool:
    """Tell whether a file with this name never belongs in an artifact."""
    return (
        name in JUNK_FILES
        or name.endswith(BYTECODE)
        # Of a lockfile in a source folder, if the process was killed.
        or (name.endswith(".tmp") and atomic.TEMPORARY.fullmatch(name) is not None)
    )


def walk(
    top: Path,
    *,
    keep: Callable[[str], bool] | None = None,
    where: str = "",
    repository: Path | None = None,
    junk: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the POSIX name and the directory entry of every regular file below `top`.

    A link is followed if its target is below `repository`, or else below `top`. `keep(name)`
    selects files, and folders by a name with a trailing slash; entries that it rejects are not
    checked. `junk` is called with the path of each file and folder that never belongs in an
    artifact.

    Raises:
        StageError: a link cannot be followed, or an entry is a FIFO, socket or device.

    """
    boundary = os.path.realpath(repository or top)
    start = f"{where}/" if where else ""
    stack: list[tuple[str, str, tuple[str, ...]]] = [(str(top), "", ())]
    while stack:
        folder, prefix, parents = stack.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                is_link = entry.is_symlink()
                is_folder = os.path.isdir(entry.path) if is_link else entry.is_dir()
                # By name alone: `.git` is a file in a submodule, and `.venv` may be a link.
                if entry.name in JUNK_FOLDERS or (not is_folder and is_junk(entry.name)):
                    junk(entry.path)
                    continue
                if keep and not keep(name + "/" if is_folder else name):
                    continue
                if is_link:
                    links.check(entry.path, boundary, start + name, owned=repository is None)
                if is_folder:
                    lineage = parents
                    if is_link:
                        target = os.path.realpath(entry.path)
                        ancestors = (*parents, os.path.realpath(folder))
                        if any(is_inside(ancestor, target) for ancestor in ancestors):
                            msg = (
                                f"{start}{name}: this link leads to a folder that contains it; "
                                "remove it, or add it to 'exclude'"
                            )
                            raise StageError(msg, "link")
                        lineage = (*ancestors, target)
                    stack.append((entry.path, name + "/", lineage))
                elif entry.is_file():
                    yield name, entry
                else:
                    kind = _kind(entry.stat().st_mode)
                    msg = (
                        f"{start}{name}: {kind} cannot be part of a function; "
                        "remove it, or add it to 'exclude'"
                    )
                    raise StageError(msg, "special-file")


def _kind(mode: int) -> str:
    names = {stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket"}
    return next((name for test, name in names.items() if test(mode)), "a device")
