"""Patterns of `exclude` and `allow_secrets`, as in a .gitignore."""

import functools
import re
from collections.abc import Callable, Sequence

from buildlib.errors import StageError
from buildlib.model import Function

Keep = Callable[[str], bool]


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
    from pathspec import GitIgnoreSpec  # 40 ms, and many manifests have no patterns

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
