"""The dependencies of a function: requirements to lock, or a lockfile of another tool."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from buildlib.lock import requirements
from buildlib.lock.requirements import Requirements
from buildlib.manifest import locations
from buildlib.model import Requires


def read(
    root: Path,
    requires: Requires,
    source: str,
    parsed: Callable[[str], dict[str, Any]] | None = None,
) -> Requirements:
    """Return the dependencies in the files that `requires` names, for the folder `source`.

    `parsed` gives the content of a lockfile of another tool, which many functions may share.

    Raises:
        LockError: a file cannot be read, or names a package that cannot be installed.

    """
    if not locations.is_lock(requires.paths[0]):
        return requirements.read_all(root, requires)
    from buildlib.lock import foreign, formats  # with parsers

    return foreign.read(root, requires, source, parsed or functools.partial(formats.parse, root))
