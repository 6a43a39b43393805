"""Names of files: portable to every system, and inside the repository."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from buildlib.errors import BuildError, StageError


def check_names(paths: Iterable[str], where: str) -> None:
    """Refuse names that unpack differently on other systems.

    Two names that are equal after Unicode NFC and case folding are one file on macOS and Windows.
    A backslash is a separator on Windows. The byte contract allows UTF-8 names only.

    Raises:
        StageError: with a line for each such name.

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
                f"{where}: '{other}' and '{path}' are one file on macOS and Windows; "
                "rename or exclude one"
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


def is_inside(path: str, folder: str) -> bool:
    """Tell whether an absolute path is `folder` or below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _has_link(root: Path, path: str) -> bool:
    """Tell whether `path` is a link, or has a folder below `root` that is one."""
    ancestor = str(root)
    for part in path.split("/"):
        ancestor = f"{ancestor}{os.sep}{part}"
        if os.path.islink(ancestor):
            return True
    return False


def relative_inside(root: Path, text: str, label: str) -> str:
    """Return `text` as a normalised POSIX path relative to `root`; `label` starts a message.

    Raises:
        BuildError: the path is absolute, has a backslash, or leaves the repository by `..` or
            through a link.

    """
    if "\\" in text:
        msg = f"{label} '{text}': separate folders with '/', also on Windows"
        raise BuildError(msg, "manifest")
    if text.startswith("/") or (len(text) > 1 and text[1] == ":"):
        msg = f"{label} '{text}' must be relative to the folder of lambdas.yaml"
        raise BuildError(msg, "manifest")
    normal = os.path.normpath(text).replace(os.sep, "/")
    if normal == ".." or normal.startswith("../"):
        msg = f"{label} '{text}' leaves the repository, so other checkouts lack it; move it inside"
        raise BuildError(msg, "manifest")
    if _has_link(root, normal) and not is_inside(
        os.path.realpath(root / normal), os.path.realpath(root)
    ):
        msg = f"{label} '{text}' leaves the repository through a link; move or copy the content"
        raise BuildError(msg, "manifest")
    return normal


# A path such as `C:x` is another folder's on Windows.
_DRIVE = re.compile(r"[A-Za-z]:")


def is_below(path: object) -> bool:
    """Tell whether a value from a file is a path that stays below the folder it is joined to.

    Paths in records, wheels, archives and indexes pass here before anything joins them: they are
    POSIX and relative, without empty parts, `.`, `..`, backslashes, drives and NUL.
    """
    return (
        isinstance(path, str)
        and path != ""
        and "\\" not in path
        and "\0" not in path
        and _DRIVE.match(path) is None
        and not _SPECIAL.intersection(path.split("/"))
    )


_SPECIAL = frozenset({"", ".", ".."})
