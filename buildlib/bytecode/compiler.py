"""Find the CPython that compiles: of one exact version, because each may give other bytes."""

import functools
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.uv import interpreters

_PROBE = (
    # Without the current folder, whose modules are the user's; -P is not in 3.10.
    "import sys; sys.path.pop(0); import platform; "
    "print(sys.implementation.name, platform.python_version(), "
    "getattr(sys, 'abiflags', '') or '-', int(hasattr(sys, 'gettotalrefcount')))"
)


_RELEASE = re.compile(r"[0-9]+[.][0-9]+[.][0-9]+((a|b|rc)[0-9]+)?")


class Compiler(NamedTuple):
    """A CPython of this machine: its path and its full version, such as `3.13.2`."""

    path: str
    version: str


# Options of the compiling Python: no site-packages, no folder of the user, no bytecode of its own.
# None of Python's variables but ours reach it; `-I` would ignore the hash seed, too.
OPTIONS = ("-S", "-s", "-B")


# The user's variables that a Python may need to start.
_KEPT = ("HOME", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")


def variables() -> dict[str, str]:
    """Return the variables of the compiling Python, with one order of sets for all users."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


def find(version: str, root: Path) -> Compiler | None:
    """Return a CPython of exactly this version; None if this machine has none."""
    return next((one for one in _here(version, root) if one.version == version), None)


def newest(python: str, root: Path) -> Compiler | None:
    """Return the newest CPython of a minor version such as `3.13`; None if it is not here."""
    found = [one for one in _here(python, root) if one.version.startswith(f"{python}.")]
    return max(found, key=lambda one: _order(one.version), default=None)


def available(python: str, root: Path) -> list[str]:
    """Return the full versions of a minor version that this machine has, the oldest first."""
    found = {one.version for one in _here(python, root) if one.version.startswith(f"{python}.")}
    return sorted(found, key=_order)


def _order(version: str) -> tuple[int, bool, list[int]]:
    release, *pre = re.split(r"(?=[a-z])", version, maxsplit=1)
    return int(release.split(".")[2]), not pre, [int(n) for n in re.findall(r"\d+", "".join(pre))]


def _here(version: str, root: Path) -> Iterator[Compiler]:
    for path in dict.fromkeys(interpreters.paths(version, root)):
        if (found := _inspect(path)) is not None:
            yield found


@functools.cache
def _inspect(path: str) -> Compiler | None:
    """Return a released build of CPython; None of others, whose bytecode may differ."""
    try:
        done = subprocess.run(  # noqa: S603 - a Python that the user or uv names
            [path, *OPTIONS, "-c", _PROBE],
            env=variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        name, version, flags, is_debug = done.stdout.split()
        if not _RELEASE.fullmatch(version):  # such as `3.13.2+`, between two releases
            return None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    is_usual = name == "cpython" and flags == "-" and is_debug == "0"
    return Compiler(path, version) if is_usual else None
