"""Refuse index settings that are no address: uv would take each for a folder without packages."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildlib.errors import BuildError

# The variables of uv for indexes, and whether each takes several, separated by spaces.
_SEVERAL = {
    "UV_DEFAULT_INDEX": False,
    "UV_INDEX_URL": False,
    "UV_INDEX": True,
    "UV_EXTRA_INDEX_URL": True,
}


def check(settings: Mapping[str, str], variables: Mapping[str, str], root: Path) -> None:
    """Check that each index is a URL, an absolute path or an existing folder.

    `settings` are the variables for uv, of which some come from `variables`, those of this process,
    and others from configuration files.

    Raises:
        BuildError: some are none of these, such as a host without 'https://'.

    """
    problems = [
        f"{name if name in variables else f'{name} (from your uv or pip configuration)'}: "
        f"{_shown(value)} is neither a URL nor a folder; "
        "set the address of an index, such as https://pypi.org/simple"
        for name, value in _indexes(settings)
        if not _is_place(value.rpartition("=")[2] if "://" not in value else value, root)
    ]
    if problems:
        raise BuildError("\n".join(problems), "setting")


def _indexes(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, several in _SEVERAL.items():
        value = settings.get(name, "").strip()
        for one in value.split() if several else filter(None, [value]):
            yield name, one


def _is_place(value: str, root: Path) -> bool:
    return "://" in value or os.path.isabs(value) or os.path.isdir(root / value)


def _shown(value: str) -> str:
    """Return the value for a message, unless it may have credentials."""
    return "the value" if "@" in value else f"'{value}'"
