"""Read in uv's output why a package could not be built on this machine.

Builds run for the packages of `allow_sdist` only, with pinned tools and cut off from the user's
secrets (`uv.isolated`); the steps lock and venv use the same words for their failures.
"""

import re
from typing import NamedTuple

from buildlib.text import canonical_name, tail

_FAILED = re.compile(
    r"Failed to (?:download and )?build `(?P<name>[A-Za-z0-9][\w.-]*?)(?:==(?P<version>[^`]+))?`"
)


# A wheel that was built here is for this machine's Python or platform.
_NOT_PURE = re.compile(
    r"built wheel `(?P<name>[^-]+)-(?P<version>[^-]+)-(?P<tags>\S+)\.whl` is not comp"
)


_CONFLICT = re.compile(
    r"requirements from `build-system\.requires`.*?you require (?P<tool>[\w.-]+?)(?P<wanted>[=<>!~]"
    r"[^ ]*(?:,[^ ]*)*) and (?P=tool)(?P<pinned>==\S+?),"
)


# Traces of a compiler, or of a system library that a compiler looks for.
_COMPILER = re.compile(
    r"\berror: command .*(gcc|g\+\+|cc|clang)|\bunable to execute '|compiler|\w\.h: No such file"
    r"|pg_config|mysql_config|pkg-config|Microsoft Visual C\+\+|\b(cargo|rustc|cmake|ninja|meson)\b"
)


class Failure(NamedTuple):
    """A failed build of a distribution: why, and whether it is that it compiles machine code."""

    name: str
    version: str
    why: str
    compiles: bool


def failure(output: str) -> Failure | None:
    """Return the failed build that uv reports; None if its error has another cause."""
    text = " ".join(output.split())
    if match := _NOT_PURE.search(text):
        return not_pure(canonical_name(match["name"]), match["version"], match["tags"])
    match = _FAILED.search(text)
    if not match:
        return None
    name, version = canonical_name(match["name"]), match["version"] or ""
    shown = f"{name} {version}".strip()
    if conflict := _CONFLICT.search(text):
        wanted, pinned = (conflict["tool"] + conflict[key] for key in ("wanted", "pinned"))
        why = (
            f"{shown} needs {wanted} to be built, but builds here use {pinned}, which is pinned so "
            "that each machine builds the same; require a release that has a wheel"
        )
        return Failure(name, version, why, compiles=False)
    if _COMPILER.search(text):
        why = (
            f"{shown} is not pure Python (its build looks for a compiler or a system library), so "
            f"it cannot be built here; {_DOCKER}\n{tail(output)}"
        )
        return Failure(name, version, why, compiles=True)
    why = (
        f"the build of {shown} failed. It ran with pinned build tools, without your environment, "
        "and on Linux without network and home. If it needs one of them, or a compiler, "
        f"{_DOCKER}\n{tail(output)}"
    )
    return Failure(name, version, why, compiles=False)


def not_pure(name: str, version: str, tags: str) -> Failure:
    """Return the failure of a build whose wheel holds machine code of this machine."""
    why = (
        f"{name} {version} is not pure Python (its wheel is {tags}), so it cannot be built here; "
        f"{_DOCKER}"
    )
    return Failure(name, version, why, compiles=True)


_DOCKER = "remove it from 'allow_sdist' and set 'install: docker'"
