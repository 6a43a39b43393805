"""Say which requirements of the user lead to a package without a wheel for a target, and why."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from buildlib.lock.requirements import Entry
from buildlib.model import LockTarget
from buildlib.runtimes import RUNTIMES, machine
from buildlib.text import canonical_name

# uv's words where a release exists, but no file of it that may be used.
_NO_WHEEL = re.compile(r"no (usable |compatible )?wheels|Wheels are required for")


_NAMES = (
    re.compile(r"wheels? (?:are (?:available|required) |)for `([\w.-]+)`", re.IGNORECASE),
    re.compile(r"\b([A-Za-z0-9][\w.-]*?)(?:[=<>!][^ ]*)? has no (?:usable |compatible )?wheels"),
)


_WHEEL = re.compile(r"/[^/\"]+?-(?P<python>[^-/\"]+)-[^-/\"]+-(?P<platform>[^-/\"]+)\.whl")


# Resolves some lines for a target, with more options of uv; returns uv's error, or nothing if there
# is a solution.
Probe = Callable[..., str]

# Returns the locations of the files of a requirement's newest releases, for any platform.
Offer = Callable[[str], str]


class Lacking(NamedTuple):
    """A requirement of the user that leads to packages without a wheel, and a reason for each."""

    entry: Entry
    reasons: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The requirement with its line, and the reasons."""
        reasons = [
            why if name == self.entry.name else f"needs {name}, which {why}"
            for name, why in self.reasons
        ]
        return f"{self.entry.where}: {self.entry.text}: {'; '.join(reasons)}"


def is_lack(output: str) -> bool:
    """Tell whether uv found no solution because wheels are missing."""
    return _NO_WHEEL.search(_unfolded(output)) is not None


def find(entries: Iterable[Entry], target: LockTarget, probe: Probe, offer: Offer) -> list[Lacking]:
    """Return the requirements that alone, with their dependencies, lead to missing wheels."""
    constraints = [entry.text for entry in entries if entry.is_constraint]

    def look(entry: Entry) -> Lacking | None:
        if is_lack(probe([entry.text], "--no-deps")):
            names = [entry.name]
        else:
            output = _unfolded(probe([entry.text, *constraints]))
            found = [match for pattern in _NAMES for match in pattern.findall(output)]
            names = [*dict.fromkeys(map(canonical_name, found))] if is_lack(output) else []
        lines = {name: entry.text if name == entry.name else name for name in names}
        reasons = tuple((name, offered(offer(line), target)) for name, line in lines.items())
        return Lacking(entry, reasons) if reasons else None

    asked = [
        entry
        for entry in entries
        if not entry.is_constraint and entry.name not in target.allow_sdist
    ]
    with ThreadPoolExecutor(4) as pool:
        return [found for found in pool.map(look, asked) if found]


def offered(files: str, target: LockTarget) -> str:
    """Say for which Pythons, or which systems, a package has wheels instead; `files` are URLs."""
    wheels = [(match["python"], match["platform"]) for match in _WHEEL.finditer(files)]
    linux = [(python, p) for python, p in wheels if p.startswith(("manylinux", "linux"))]
    here = [(python, p) for python, p in linux if p.endswith(machine(target.architecture))]
    if not wheels:
        return "has no wheels"
    if not linux:
        return "has wheels for other systems than Linux only"
    if not here:
        return f"has wheels for Linux, but none for {target.architecture}"
    if glibc := _glibc_needed(here, target):
        return f"has wheels for Python {target.python} that need glibc {glibc} or newer"
    minors = {int(minor) for python, _ in here for minor in re.findall(r"cp3(\d+)", python)}
    if not minors or f"3.{max(minors)}" == target.python:
        return "has no wheel of an accepted version"
    return f"has wheels for CPython {', '.join(f'3.{minor}' for minor in sorted(minors))}"


def _glibc_needed(wheels: Iterable[tuple[str, str]], target: LockTarget) -> str:
    """Return the lowest glibc of the wheels for the target's Python, if its own is older."""
    pythons = {f"cp{target.python.replace('.', '')}", "py3", "py2.py3"}
    found = [
        (int(major), int(minor))
        for python, platform in wheels
        if python in pythons
        for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_", platform)
    ]
    if not found or min(found) <= RUNTIMES[target.python].glibc:
        return ""
    return ".".join(map(str, min(found)))


def _unfolded(output: str) -> str:
    """Return uv's explanation on one line; uv wraps it."""
    return " ".join(output.split())
