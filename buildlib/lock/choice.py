"""Choose the file of a release that a runtime gets, by its name (PEP 425, 427, 600)."""

import functools
from collections.abc import Mapping

from buildlib.model import LockTarget
from buildlib.runtimes import RUNTIMES, machine

# The oldest glibc of a manylinux tag, and the tags with names of their own.
_OLDEST = {"x86_64": 5, "aarch64": 17}


_NAMED = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@functools.cache
def ranks(target: LockTarget) -> Mapping[str, int]:
    """Return the tags of the wheels that a runtime takes, each with its rank; 0 is the best."""
    from packaging import tags  # 20 ms, and only foreign locks need it

    version = (3, int(target.python.partition(".")[2]))
    interpreter = f"cp3{version[1]}"
    architecture = machine(target.architecture)
    platforms = []
    for minor in range(RUNTIMES[target.python].glibc[1], _OLDEST[architecture] - 1, -1):
        platforms.append(f"manylinux_2_{minor}_{architecture}")
        if minor in _NAMED:
            platforms.append(f"{_NAMED[minor]}_{architecture}")
    platforms.append(f"linux_{architecture}")
    found = [
        *tags.cpython_tags(version, [interpreter], platforms),
        *tags.compatible_tags(version, interpreter, platforms),
    ]
    return {str(tag): rank for rank, tag in enumerate(found)}


def wheel(names: Mapping[str, str], target: LockTarget) -> str | None:
    """Return the name of the best wheel for a runtime among file names; None if none fits."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    best: tuple[int, tuple[int, str] | tuple[()]] | None = None
    chosen = None
    known = ranks(target)
    for name in sorted(names):
        if not name.endswith(".whl"):
            continue
        try:
            _, _, build, tags = parse_wheel_filename(name)
        except InvalidWheelFilename:
            continue
        rank = min((known[text] for tag in tags if (text := str(tag)) in known), default=None)
        if rank is None:
            continue
        # The build number decides between equal tags.
        order = (-rank, build)
        if best is None or order > best:
            best, chosen = order, name
    return chosen
