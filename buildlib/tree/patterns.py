"""The gitignore patterns of `exclude` and `allow_secrets`."""

import functools
import re
from collections.abc import Callable, Sequence

from buildlib.errors import StageError
from buildlib.model import Function

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


def matcher(function: Function, key: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a predicate for the paths that match `patterns`, the value of the function's `key`.

    Raises:
        StageError: an entry is not a valid pattern.

    """
    from pathspec import GitIgnoreSpec  # 40 ms, and many manifests have no patterns

    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except (ValueError, re.error):
            msg = (
                f"lambda '{function.name}': {key}: '{pattern}' is not a valid gitignore pattern; "
                "see 'git help gitignore'"
            )
            raise StageError(msg, "pattern") from None
    return GitIgnoreSpec.from_lines(patterns).match_file
