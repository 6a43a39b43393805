"""Join the pins of several targets into one lockfile, with markers only where they differ."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from buildlib.model import LockTarget
from buildlib.runtimes import machine
from buildlib.text import canonical_name


class Locked(NamedTuple):
    """A pin as uv writes it: `requirement` is `name==version` or `name @ url`.

    `hashes` are sorted; `via` are the requirements that demand it, as in uv's comments.
    """

    name: str
    requirement: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version, or `@ <url>`, as in `model.Pin`."""
        _, at, url = self.requirement.partition(" @ ")
        return f"@ {url}" if at else self.requirement.partition("==")[2]


# The file with the pins that are demanded, which uv names among the reasons for a pin.
KEPT = "lambda-zip-kept.txt"


def parse(body: str) -> list[Locked]:
    """Return the pins in the output of `uv pip compile`."""
    pins: list[Locked] = []
    for block in re.split(r"\n(?=[^\s#])", f"\n{body}")[1:]:
        requirement, *rest = block.replace("\\\n", "\n").split("\n")
        name = canonical_name(re.split(r"[\s=@\[]", requirement, maxsplit=1)[0])
        hashes = sorted(re.findall(r"--hash=(\S+)", block))
        comments = [line.strip(" #") for line in rest if line.strip().startswith("#")]
        via = [line.removeprefix("via").strip() for line in comments if KEPT not in line]
        pins.append(Locked(name, requirement.strip(), tuple(hashes), tuple(filter(None, via))))
    return pins


def join(pins: Mapping[LockTarget, Sequence[Locked]]) -> str:
    """Return the body of a lockfile from which each target reads its own pins."""
    targets = sorted(pins)
    groups: dict[tuple[str, str], dict[LockTarget, Locked]] = {}
    for target in targets:
        for pin in pins[target]:
            groups.setdefault((pin.name, pin.requirement), {})[target] = pin
    return "".join(
        _block(requirement, holds, targets) for (_, requirement), holds in sorted(groups.items())
    )


def _block(
    requirement: str, holds: Mapping[LockTarget, Locked], targets: Sequence[LockTarget]
) -> str:
    marker = _marker(list(holds), targets)
    first = f"{requirement} ; {marker}" if marker else requirement
    hashes = sorted({hash_ for pin in holds.values() for hash_ in pin.hashes})
    via = sorted({source for pin in holds.values() for source in pin.via})
    lines = [first, *(f"    --hash={hash_}" for hash_ in hashes)]
    text = " \\\n".join(lines) + "\n"
    if len(via) == 1:
        return f"{text}    # via {via[0]}\n"
    return text + "".join(["    # via\n", *(f"    #   {source}\n" for source in via)] * bool(via))


def _marker(some: Sequence[LockTarget], targets: Sequence[LockTarget]) -> str:
    """Return the marker that holds for some of the targets and for none of the others."""
    architectures = _by_python(targets)
    chosen = _by_python(some)
    if chosen == architectures:
        return ""
    whole = [python for python in chosen if chosen[python] == architectures[python]]
    if len(whole) == len(chosen):
        return " or ".join(map(_python, whole))
    machines = {frozenset(found) for found in chosen.values()}
    everywhere = chosen.keys() == architectures.keys() and len(machines) == 1
    if everywhere and len(next(iter(machines))) == 1:
        return _machine(next(iter(next(iter(machines)))))
    parts = [
        _python(python)
        if python in whole
        else " or ".join(f"({_python(python)} and {_machine(name)})" for name in sorted(found))
        for python, found in chosen.items()
    ]
    return " or ".join(parts)


def _by_python(targets: Iterable[LockTarget]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for target in targets:
        found.setdefault(target.python, set()).add(target.architecture)
    return found


def _python(version: str) -> str:
    return f"python_version == '{version}'"


def _machine(architecture: str) -> str:
    return f"platform_machine == '{machine(architecture)}'"
