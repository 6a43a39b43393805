"""Refuse links whose target is not content of the repository."""

import os

from buildlib.errors import StageError
from buildlib.files.names import is_inside

# Folders of version control, anywhere, and of outputs, at the top: no commit has their content.
VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})


_OUTPUTS = ("build", "dist")


def check(path: str, boundary: str, shown: str, *, owned: bool) -> None:
    """Refuse a link whose target is not content of the repository in the folder `boundary`.

    `boundary` is a real path. With `owned`, it is a folder that a tool filled, such as an installed
    tree, and no repository.

    Raises:
        StageError: the target is outside, is no content, or does not exist.

    """
    real = os.path.realpath(path)
    target = os.readlink(path)
    if not is_inside(real, boundary):
        kind = "a folder" if os.path.isdir(real) else "a file" if os.path.exists(real) else "a path"
        outside = "the folder" if owned else "the repository"
        msg = (
            f"{shown}: this link leads to '{target}', {kind} outside {outside}, so its content "
            f"would depend on the machine; copy the content into {outside}, or add the link to "
            "'exclude'"
        )
    elif not owned and (folder := _uncommitted(real, boundary)):
        msg = (
            f"{shown}: this link leads to '{target}' in {folder}/, which no commit has, so other "
            "checkouts lack it; copy the content, or add the link to 'exclude'"
        )
    elif not os.path.exists(real):
        what = "back to itself" if os.path.islink(real) else f"to '{target}', which does not exist"
        msg = f"{shown}: this link leads {what}; correct or remove it, or add it to 'exclude'"
    else:
        return
    raise StageError(msg, "link")


def leads_to_content(real: str, boundary: str) -> bool:
    """Tell whether `check` accepts a link to the real path `real` in the repository `boundary`."""
    inside = is_inside(real, boundary) and not _uncommitted(real, boundary)
    return inside and os.path.exists(real)


def _uncommitted(path: str, boundary: str) -> str | None:
    """Return the folder of version control or outputs that a path is in; None if it is in none."""
    parts = path[len(boundary) :].split(os.sep)[1:]
    if parts and parts[0] in _OUTPUTS:
        return parts[0]
    return next((part for part in parts if part in VERSION_CONTROL), None)
