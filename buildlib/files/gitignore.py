"""The files that a repository's .gitignore files match."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_NAME = ".gitignore"


def matcher(root: Path) -> Callable[[str], bool]:
    """Return a predicate for paths relative to `root`; a folder's has a slash at its end.

    The files count from `root` on, and a deeper one decides (gitignore(5)). Paths below an
    ignored folder are not asked. Whether git tracks a file does not count: that is no part of a
    checkout without git.
    """

    @functools.cache
    def rules(folder: str) -> "GitIgnoreSpec | None":
        try:
            lines = (root / folder / _NAME).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        from pathspec import GitIgnoreSpec  # 40 ms

        try:
            return GitIgnoreSpec.from_lines(lines.splitlines())
        except ValueError:  # git passes over patterns that it does not understand, too
            return None

    def is_ignored(path: str) -> bool:
        folder = path.rstrip("/").rpartition("/")[0]
        while True:
            if found := rules(folder):
                start = len(folder) + 1 if folder else 0
                decided = found.check_file(path[start:]).include
                if decided is not None:
                    return decided
            if not folder:
                return False
            folder = folder.rpartition("/")[0]

    return is_ignored


def state(root: Path, paths: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return the status of the .gitignore files above some paths, relative to `root`."""
    folders = {""}
    for path in paths:
        folder = path
        while folder not in {"", "."}:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    found = []
    for folder in sorted(folders):
        try:
            status = (root / folder / _NAME).stat()
        except OSError:
            continue
        found.append((folder, status.st_size, status.st_mtime_ns))
    return found
