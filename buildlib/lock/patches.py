"""Pins for every patch level of a runtime's Python.

A marker may depend on the patch level: `async-timeout; python_full_version < "3.11.3"`. A lockfile
holds for the lowest patch level that the runtime has had (see `runtimes`) and for all newer ones,
since AWS raises it at any time without a word. A package that only some of these levels need is
locked: it is superfluous on the others, and its absence would break these.
"""

from collections.abc import Mapping, Sequence

from buildlib.errors import LockError
from buildlib.lock.join import Locked, parse
from buildlib.lock.resolve import Resolver
from buildlib.model import LockTarget
from buildlib.runtimes import HIGHEST_PATCH, RUNTIMES

Pins = Mapping[LockTarget, Sequence[Locked]]


def for_all_levels(resolver: Resolver, found: Pins) -> dict[LockTarget, list[Locked]]:
    """Return the pins of the targets of one Python, with those that only later levels need.

    `found` are those of the lowest level. Only where the first target differs are the others
    resolved again.

    Raises:
        LockError: two patch levels need different versions of a package.

    """
    complete: dict[LockTarget, list[Locked]] = {}
    for number, (target, pins) in enumerate(found.items()):
        later = _later(resolver, target, pins)
        complete[target] = [*pins, *later]
        if number == 0 and not later:
            return {target: list(pins) for target, pins in found.items()}
    return complete


def _later(resolver: Resolver, target: LockTarget, pins: Sequence[Locked]) -> list[Locked]:
    highest = f"{target.python}.{HIGHEST_PATCH}"
    preferred = [pin.requirement for pin in pins if "==" in pin.requirement]
    later = {pin.name: pin for pin in parse(resolver.resolve(target, preferred, patch=highest))}
    for pin in pins:
        other = later.pop(pin.name, pin)
        if other.version != pin.version:
            lowest = RUNTIMES[target.python].lowest_patch
            msg = (
                f"{resolver.requirements.path}: {pin.name} is {pin.version} for Python {lowest}, "
                f"but {other.version} for later patch levels, and AWS moves a runtime from one to "
                "the next at any time; require one version of it that fits both"
            )
            raise LockError(msg, "lock-failed")
    return list(later.values())
