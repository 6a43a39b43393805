"""The packages of a lockfile of another tool, and the part of them that a function needs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from buildlib.errors import LockError
from buildlib.lock import lockfile
from buildlib.model import LockTarget


class Edge(NamedTuple):
    """A dependency: the name (PEP 503), extras, an environment marker, and the versions that fit.

    `versions` is a specifier (PEP 440), `version` the exact one if the lock has it; each may be
    empty.
    """

    name: str
    extras: tuple[str, ...] = ()
    marker: str = ""
    versions: str = ""
    version: str = ""


class Package(NamedTuple):
    """A locked package.

    `files` are the sha256 of its files by their names; a lock without names has a number for each.
    `folder` is that of a project of the repository, relative to the lock's folder. `url` is the
    address of its only file, `registry` that of its index, and `problem` why it cannot be
    installed. `markers` say where it is installed: one of them has to hold, if there are some.
    """

    name: str
    version: str
    files: Mapping[str, str] = MappingProxyType({})
    edges: tuple[Edge, ...] = ()
    extras: Mapping[str, tuple[Edge, ...]] = MappingProxyType({})
    groups: Mapping[str, tuple[Edge, ...]] = MappingProxyType({})
    markers: tuple[str, ...] = ()
    folder: str | None = None
    has_code: bool = True
    url: str = ""
    registry: str = ""
    problem: str = ""


class Graph(NamedTuple):
    """The packages of a lock by their names, and the edges to start from; `shown` is its path."""

    shown: str
    packages: Mapping[str, Sequence[Package]]
    start: tuple[Edge, ...]

    def reached(self, target: LockTarget | None) -> list[Package]:
        """Return the packages that a target needs, sorted; those of any target for None.

        Raises:
            LockError: a dependency is not in the lock.

        """
        found = {(one.name, one.version): one for _, _, one in self.walk(target)}
        return [found[key] for key in sorted(found)]

    def walk(self, target: LockTarget | None) -> Iterator[tuple[str, Edge, Package]]:
        """Yield each dependency of a target: its package, and the edge from a package to it.

        The name of the package that has the edge comes first; it is empty at the start.

        Raises:
            LockError: a dependency is not in the lock.

        """
        done: set[tuple[str, str, str]] = set()
        stack = [("", edge) for edge in self.start]
        while stack:
            owner, edge = stack.pop()
            if not self._holds(edge.marker, target):
                continue
            for package in self._matching(edge, target):
                yield owner, edge, package
                for extra in ("", *edge.extras):
                    if (package.name, package.version, extra) not in done:
                        done.add((package.name, package.version, extra))
                        more = package.extras.get(extra, ()) if extra else package.edges
                        stack += [(package.name, one) for one in more]

    def _holds(self, marker: str, target: LockTarget | None) -> bool:
        if target is None or not marker:
            return True
        result = lockfile.applies(marker, target)
        if result is None:
            msg = (
                f"{self.shown}: the marker '{marker}' holds for some patch levels of Python only, "
                "and AWS raises them at any time; require a version that suits all of them"
            )
            raise LockError(msg, "lock-line")
        return result

    def _matching(self, edge: Edge, target: LockTarget | None) -> Iterator[Package]:
        """Yield the package that an edge leads to: all that fit, if there is no target."""
        candidates = [
            package
            for package in self.packages.get(edge.name, ())
            if not edge.version or edge.version == package.version
        ]
        if not candidates:
            msg = f"{self.shown}: has no {edge.name}, which is required; lock again, and run doit"
            raise LockError(msg, "lock-line")
        if len(candidates) == 1 and target is not None:
            yield candidates[0]
            return
        fitting = [p for p in candidates if self._fits(p, edge, target)]
        if target is None:
            yield from fitting or candidates
        elif fitting:
            yield fitting[0]

    def _fits(self, package: Package, edge: Edge, target: LockTarget | None) -> bool:
        if package.markers and not any(self._holds(one, target) for one in package.markers):
            return False
        if not edge.versions:
            return True
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion

        try:
            return SpecifierSet(edge.versions).contains(package.version, prereleases=True)
        except (InvalidSpecifier, InvalidVersion):
            return True


def edges(lines: Iterable[str], shown: str) -> tuple[Edge, ...]:
    """Return requirements (PEP 508) as edges.

    Raises:
        LockError: one of them is not valid.

    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    found = []
    for line in lines:
        try:
            parsed = Requirement(line)
        except InvalidRequirement as error:
            msg = f"{shown}: '{line}' is not a valid requirement: {str(error).splitlines()[0]}"
            raise LockError(msg, "requirements") from None
        marker = str(parsed.marker) if parsed.marker else ""
        name = canonicalize_name(parsed.name)
        found.append(Edge(name, tuple(sorted(parsed.extras)), marker, str(parsed.specifier)))
    return tuple(found)
