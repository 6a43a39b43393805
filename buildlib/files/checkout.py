"""Find links that git checked out as text files, as it does on Windows by default."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from buildlib.errors import StageError

# Longer than the target of any link (PATH_MAX).
_LONGEST = 4096


# git writes this into the configuration of a checkout on a system without links.
_NO_LINKS = re.compile(r"^\s*symlinks\s*=\s*(false|no|off|0)\s*$", re.IGNORECASE | re.MULTILINE)


def check_links(root: Path, files: Sequence[tuple[str, os.stat_result]]) -> None:
    """Refuse the files of a checkout that are links in git.

    `files` are paths relative to `root`, and their status. Such a file holds the target's path, so
    the ZIP would differ from one that is built elsewhere.

    Raises:
        StageError: with a line for each such file, and the remedy.

    """
    if not _makes_links_text(root):
        return
    suspects = [path for path, status in files if status.st_size < _LONGEST]
    found = [path for path in suspects if _is_path(root, path)]
    # 120000 is git's mode of a link; asking git takes longer than all else here.
    listed = _git(root, ["ls-files", "--stage", "-z", "--", *found]) if found else ""
    problems = [
        f"{row.partition(chr(9))[2]}: this is a link in git, checked out as a text file; enable "
        "links ('git config core.symlinks true', on Windows also the developer mode), delete the "
        "file, and run 'git checkout -- <file>'"
        for row in listed.split("\0")
        if row.startswith("120000 ")
    ]
    if problems:
        raise StageError("\n".join(problems), "link")


def _makes_links_text(root: Path) -> bool:
    """Tell whether git found, when it made this checkout, that the system has no links."""
    return _NO_LINKS.search(_git_config(root)) is not None


_SPARSE = re.compile(r"^\s*sparsecheckout\s*=\s*(true|yes|on|1)\s*$", re.IGNORECASE | re.MULTILINE)


def is_sparse(root: Path) -> bool:
    """Tell whether git left folders out of this checkout (git-sparse-checkout(1))."""
    return _SPARSE.search(_git_config(root)) is not None


def _git_config(root: Path) -> str:
    """Return the text of git's configuration of a checkout; empty outside of a checkout."""
    place = str(root)
    while not os.path.exists(os.path.join(place, ".git")):
        above = os.path.dirname(place)
        if above == place:
            return ""
        place = above
    own = git = Path(place, ".git")
    try:
        if git.is_file():  # a worktree or a submodule
            git = Path(place, git.read_text(encoding="utf-8").removeprefix("gitdir:").strip())
            own, common = git, git / "commondir"
            git = git / common.read_text(encoding="utf-8").strip() if common.exists() else git
        files = (git / "config", own / "config.worktree")
        return "\n".join(
            file.read_text(encoding="utf-8", errors="replace") for file in files if file.exists()
        )
    except (OSError, ValueError):
        return ""


def _is_path(root: Path, path: str) -> bool:
    """Tell whether a file's content is the path of something that exists, seen from the file."""
    content = (root / path).read_bytes()
    if not content or b"\n" in content or b"\0" in content:
        return False
    target = os.path.join(os.path.dirname(root / path), os.fsdecode(content))
    try:
        return os.path.exists(target)
    except ValueError:
        return False


def _git(root: Path, arguments: Sequence[str]) -> str:
    from buildlib.files import git  # 4 ms for subprocess, only where git makes links text

    try:
        done = git.run(root, arguments)
    except OSError:
        return ""
    return os.fsdecode(done.stdout)
