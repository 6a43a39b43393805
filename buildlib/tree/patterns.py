"""The gitignore patterns of `exclude` and `allow_secrets`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from buildlib.errors import StageError
from buildlib.model import Function

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# A name of n characters takes up to n^stars steps to match.
_STARS = 3

# Each file is compared with each pattern.
_MOST = 10_000


Keep = Callable[[str], bool]


def excluder(function: Function) -> Keep | None:
    """Return a predicate for the paths that a function's `exclude` keeps; None if it keeps all.

    As in a .gitignore, nothing below an excluded folder can be kept.

    Raises:
        StageError: an entry is not a valid pattern.

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


def names_again(function: Function) -> Keep:
    """Return a predicate for the paths that a `!` pattern of a function's `exclude` names.

    Such a pattern gets a file back that is left out by default. The last pattern that matches a
    path decides.

    Raises:
        StageError: an entry is not a valid pattern.

    """
    if not any(pattern.startswith("!") for pattern in function.exclude):
        return lambda _: False
    check = _spec(function, "exclude", function.exclude).check_file
    return lambda name: check(name).include is False


def matcher(function: Function, key: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a predicate for the paths that match `patterns`, the value of the function's `key`.

    Raises:
        StageError: an entry is not a valid pattern.

    """
    return _spec(function, key, patterns).match_file


def _spec(function: Function, key: str, patterns: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # 40 ms, and many manifests have no patterns

    if len(patterns) > _MOST:
        msg = (
            f"{function.title}: {key}: {len(patterns)} patterns, more than {_MOST}; "
            "one pattern may name a folder, or all files of a kind as in '*.md'"
        )
        raise StageError(msg, "pattern")
    for pattern in patterns:
        where = f"{function.title}: {key}: '{pattern}'"
        if any(part.count("*") > _STARS for part in pattern.split("/")):
            msg = f"{where} has more than {_STARS} '*' in one name; write several patterns"
            raise StageError(msg, "pattern")
        if pattern.count("**") > _STARS:
            msg = f"{where} has more than {_STARS} '**'; write several patterns"
            raise StageError(msg, "pattern")
        try:
            GitIgnoreSpec.from_lines([pattern])
        except (ValueError, re.error):
            msg = f"{where} is not a valid gitignore pattern; see 'git help gitignore'"
            raise StageError(msg, "pattern") from None
    return GitIgnoreSpec.from_lines(patterns)
