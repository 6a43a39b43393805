"""The reasons for the pins of a lockfile: the requirements and packages that demand them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.lock import lockfile
from buildlib.lock.graph import Graph
from buildlib.lock.join import parse
from buildlib.lock.requirements import Entry
from buildlib.model import LockTarget
from buildlib.text import canonical_name


class Demand(NamedTuple):
    """A reason for a pin: the package, or the file and line, that demands it.

    `text` is the requirement as it is written, and `versions` its specifier (PEP 440); both are
    empty where the lock does not have them.
    """

    by: str
    text: str = ""
    versions: str = ""

    def allows(self, version: str) -> bool | None:
        """Tell whether the requirement allows a version; None if that is not known."""
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            fits = SpecifierSet(self.versions).contains(version, prereleases=True)
        except InvalidSpecifier:  # of Poetry, such as `^2.0`
            return None
        return fits if self.text else None


# The demands on each package of a lock, by its name.
Demands = Mapping[str, Sequence[Demand]]


def of_lock(lock: Path, entries: Iterable[Entry], target: LockTarget) -> Demands:
    """Return the demands in `requirements.lock`, and those of the requirements that it is from.

    For a package that another one demands, the lock has that one's name only.
    """
    found: dict[str, dict[Demand, None]] = {}
    for entry in entries:
        if entry.name and (demand := _of_entry(entry, target)):
            found.setdefault(entry.name, {})[demand] = None
    text = lock.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
    for pin in parse(text):
        for owner in pin.via:
            if not owner.startswith("-"):  # a file, whose entries are there already
                found.setdefault(pin.name, {})[Demand(canonical_name(owner))] = None
    return {name: tuple(demands) for name, demands in found.items()}


def _of_entry(entry: Entry, target: LockTarget) -> Demand | None:
    """Return the demand of a requirement; None if it is not for the target."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(entry.text)
    except InvalidRequirement:
        return Demand(entry.where)
    marker = str(parsed.marker) if parsed.marker else None
    if lockfile.applies(marker, target) is False:
        return None
    return Demand(entry.where, entry.text, str(parsed.specifier))


def of_graph(graph: Graph, target: LockTarget) -> Demands:
    """Return the demands in a lock of another tool.

    Raises:
        LockError: a dependency is not in the lock.

    """
    found: dict[str, dict[Demand, None]] = {}
    for owner, edge, package in graph.walk(target):
        text = f"{edge.name}{edge.versions}" if edge.versions else ""
        demand = Demand(owner or graph.shown, text, edge.versions)
        found.setdefault(package.name, {})[demand] = None
    return {name: tuple(demands) for name, demands in found.items()}
