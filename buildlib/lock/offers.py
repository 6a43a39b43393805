"""Ask the package index for which pins it has a wheel for another Python."""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from buildlib.errors import LockError
from buildlib.lock import lacking
from buildlib.lock.join import parse
from buildlib.lock.requirements import Requirements
from buildlib.lock.resolve import Resolver
from buildlib.model import LockTarget, Pin

# uv's words where an index gave no answer.
_UNANSWERED = re.compile(
    r"Failed to fetch|error sending request|Request failed after|could not be queried|"
    r"network (was|is|connectivity is) disabled",
    re.IGNORECASE,
)


class Blocker(NamedTuple):
    """A pin that another Python cannot have.

    `newer` is a version that has a wheel, or empty. If it `fits`, the requirements allow it.
    """

    name: str
    version: str
    reason: str
    newer: str = ""
    fits: bool = False


class Offer(NamedTuple):
    """The result for a lock: the pins that block, and the names of all packages that it would pin.

    `conflict` is uv's explanation where no version of some package fits. `unasked` is the reason
    why the index gave no answer; the rest is then unknown.
    """

    blockers: tuple[Blocker, ...] = ()
    names: frozenset[str] = frozenset()
    conflict: str = ""
    unasked: str = ""


class _UnreachableError(Exception):
    """The index gave no answer; the argument is uv's message."""


class _Asker:
    """The questions about one lock to the index, for a target."""

    def __init__(self, resolver: Resolver, target: LockTarget) -> None:
        self.resolver, self.target = resolver, target

    def probe(self, lines: Sequence[str]) -> str:
        """Return why there are no wheels for all of some pins, in uv's words, or nothing.

        Raises:
            _UnreachableError: the index gave no answer.

        """
        output = self.resolver.probe(self.target, lines, "--no-deps")
        if output and is_unanswered(output):
            raise _UnreachableError(output)
        return output

    def lacking(self, pins: Sequence[Pin]) -> list[Pin]:
        """Return the pins that need a wheel and have none."""
        if self.target.builds:  # a container builds them
            return []
        asked = [pin for pin in pins if pin.name not in self.target.allow_sdist]
        if not asked or not self.probe([_line(pin) for pin in asked]):
            return []
        if len(asked) == 1:
            return asked
        middle = len(asked) // 2
        return [*self.lacking(asked[:middle]), *self.lacking(asked[middle:])]

    def reason(self, pin: Pin) -> str:
        """Return why a pin has no wheel."""
        if pin.version.startswith("@"):
            return "is the URL of a wheel for another Python"
        return lacking.offered(self.resolver.offer(_line(pin)), self.target)

    def newer(self, pin: Pin) -> str:
        """Return the newest version of a package that has a wheel; empty if none is newer."""
        if pin.version.startswith("@"):
            return ""
        found = self.resolver.newest(self.target, f"{pin.name}>{pin.version}")
        return next((one.version for one in parse(found)), "")


def _line(pin: Pin) -> str:
    joint = " " if pin.version.startswith("@") else "=="
    return f"{pin.name}{joint}{pin.version}"


def is_unanswered(output: str) -> bool:
    """Tell whether uv failed without an answer of the index."""
    return _UNANSWERED.search(" ".join(output.split())) is not None


def ask(
    resolver: Resolver, target: LockTarget, pins: Sequence[Pin], excluded: Mapping[str, str]
) -> Offer:
    """Return the pins that keep a lock from a target.

    The locker resolves the requirements and keeps the pins where it can: those that it would have
    to move block. The pins of a lock of another tool are asked for as they are. `excluded` are
    packages whose authors exclude the target's Python, with the words for it: uv passes over an
    upper bound in Requires-Python.
    """
    asker = _Asker(resolver, target)
    try:
        if resolver.requirements.graph is not None:
            found = Offer(_blocked(asker, pins), frozenset(pin.name for pin in pins))
        else:
            found = _resolved(asker, pins)
        known = {one.name for one in found.blockers}
        more = tuple(
            Blocker(pin.name, pin.version, excluded[pin.name], asker.newer(pin))
            for pin in pins
            if pin.name in excluded and pin.name not in known
        )
        return found._replace(blockers=(*found.blockers, *more))
    except _UnreachableError as error:
        return Offer(unasked=str(error))


def _resolved(asker: _Asker, pins: Sequence[Pin]) -> Offer:
    preferred = [_line(pin) for pin in pins if not pin.version.startswith("@")]
    try:
        found = parse(asker.resolver.resolve(asker.target, preferred, explain=False))
    except LockError as error:
        if is_unanswered(str(error)):
            raise _UnreachableError(str(error)) from None
        blockers = _blocked(asker, pins)
        return Offer(blockers, conflict="" if blockers else str(error))
    new = {pin.name: pin.version for pin in found}
    moved = [pin for pin in pins if new.get(pin.name, pin.version) != pin.version]
    lack = {pin.name for pin in asker.lacking(moved)}
    blockers = tuple(
        Blocker(
            pin.name,
            pin.version,
            asker.reason(pin)
            if pin.name in lack
            else "has a wheel, but other packages need another version",
            new[pin.name],
            fits=True,
        )
        for pin in moved
    )
    return Offer(blockers, frozenset(new))


def _blocked(asker: _Asker, pins: Sequence[Pin]) -> tuple[Blocker, ...]:
    make = functools.partial(_blocker, asker)
    return tuple(map(make, asker.lacking(pins)))


def _blocker(asker: _Asker, pin: Pin) -> Blocker:
    return Blocker(pin.name, pin.version, asker.reason(pin), asker.newer(pin))


def of_graph(requirements: Requirements, target: LockTarget) -> Iterable[Pin]:
    """Return the pins that a lock of another tool has for a target, with wheels or without.

    Raises:
        LockError: a dependency is not in the lock.

    """
    if requirements.graph is None:
        return
    for package in requirements.graph.reached(target):
        if package.folder is None:
            yield Pin(package.name, f"@ {package.url}" if package.url else package.version, ())
