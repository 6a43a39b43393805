"""Notes about files with dependencies that no requirements of the proposed functions are."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from buildlib.commands.init.candidates import Candidate
from buildlib.errors import LockError
from buildlib.lock import unread
from buildlib.manifest import locations


def notes(root: Path, functions: Iterable[Candidate]) -> Iterator[str]:
    """Yield a note for each file in the folder of a function without requirements, or above it."""
    users: dict[str, list[str]] = {}
    for function in functions:
        source = function.source or ""
        if function.requirements or locations.default(root, source):
            continue
        for folder in _lineage(source):
            users.setdefault(folder, []).append(function.name)
    for folder, names in sorted(users.items()):
        try:
            found = unread.find(root, folder, unread.names(root / folder))
        except LockError as error:
            yield str(error)
            continue
        for one in found:
            # init notes a requirements.txt above a function with the setting that reads it.
            if (one.lines or one.computed) and os.path.basename(one.path) != "requirements.txt":
                what = f" ({unread.described(one.lines)})" if one.lines else ""
                yield (
                    f"{one.path} is not read; write the dependencies{what} that a function needs "
                    f"to a requirements.txt in its folder: {unread.described(names)}"
                )


def _lineage(folder: str) -> Iterator[str]:
    while folder not in {"", "."}:
        yield folder
        folder = os.path.dirname(folder)
    yield ""
