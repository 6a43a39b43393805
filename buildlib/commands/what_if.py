"""`lambdas why --if`: the ZIPs that would change with another version of a locked package."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from buildlib.errors import BuildError
from buildlib.lock import demands, lockfile
from buildlib.lock.demands import Demand, Demands
from buildlib.model import LockTarget, Pin, Variant
from buildlib.project.project import Project
from buildlib.text import closest, table


class Change(NamedTuple):
    """A package by its normalised name, and the version that it would have."""

    package: str
    version: str

    def __str__(self) -> str:
        """Return it as a pin."""
        return f"{self.package}=={self.version}"


class Holder(NamedTuple):
    """A variant whose lockfile has the package of a change.

    `present` is the locked version, or `@ <url>`. If a `layer` has the package, the ZIP of the
    variant has not. `demands` are the reasons for the pin.
    """

    variant: Variant
    change: Change
    present: str
    demands: Sequence[Demand]
    layer: str = ""

    @property
    def differs(self) -> bool:
        """Tell whether the locked version is another one."""
        return not _is_same(self.present, self.change.version)

    @property
    def changes(self) -> bool:
        """Tell whether the ZIP of the variant would change."""
        return self.differs and not self.layer


class Answer(NamedTuple):
    """The effect of changes: the variants that have a package, and how many have none.

    `errors` are the messages of variants by id, whose locks cannot be read. `remarks` name
    lockfiles that are out of date, and `unknown` the packages that no lockfile has.
    """

    changes: Sequence[Change]
    holders: Sequence[Holder]
    unaffected: int
    errors: Mapping[str, str]
    remarks: Sequence[str]
    unknown: Sequence[str]

    @property
    def changed(self) -> list[str]:
        """The ids of the variants whose ZIPs would change."""
        return list(dict.fromkeys(one.variant.id for one in self.holders if one.changes))


def answer(project: Project, variants: Sequence[Variant], changes: Sequence[Change]) -> Answer:
    """Return the effect of changes on variants, from their lockfiles alone."""
    holders: list[Holder] = []
    errors: dict[str, str] = {}
    names: set[str] = set()
    unaffected = 0
    reasons = Reasons(project)
    for variant in variants:
        try:
            for one in (variant, *project.declared_layers(variant)):
                names.update(pin.name for pin in project.locked(one))
            found = [*_holders(project, variant, changes, reasons)]
        except BuildError as error:
            errors[variant.id] = str(error)
            continue
        holders += found
        unaffected += not found
    unknown = [_unknown(one, names) for one in changes if one.package not in names]
    remarks = [*_outdated(project, variants)]
    return Answer(changes, holders, unaffected, errors, remarks, unknown)


def _holders(
    project: Project, variant: Variant, changes: Iterable[Change], reasons: "Reasons"
) -> Iterator[Holder]:
    locked = _by_name(project.locked(variant))
    in_zip = _by_name(project.pins(variant))
    layers = [(one, _by_name(project.pins(one))) for one in project.layer_variants(variant)]
    for change in changes:
        name = change.package
        if name in in_zip:
            yield Holder(variant, change, in_zip[name].version, reasons.of(variant, name))
            continue
        for layer, pins in layers:
            if name in pins:
                owner = variant if name in locked else layer
                why = reasons.of(owner, name)
                yield Holder(variant, change, pins[name].version, why, layer.function.name)


def _by_name(pins: Iterable[Pin]) -> dict[str, Pin]:
    return {pin.name: pin for pin in pins}


class Reasons:
    """The demands in the lockfiles of a project, each of which is read once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[object, Demands] = {}

    def of(self, variant: Variant, package: str) -> Sequence[Demand]:
        """Return the demands on a package of a variant."""
        return self.all(variant).get(package, ())

    def all(self, variant: Variant) -> Demands:
        """Return the demands on each package of a variant."""
        function, target = variant.function, LockTarget(variant.python, variant.architecture)
        name = (function.lockfile, function.requires, function.source, target)
        if function.lockfile:
            name = (function.lockfile, function.requires, "", target)
        if name not in self._known:
            self._known[name] = self._read(variant, target)
        return self._known[name]

    def _read(self, variant: Variant, target: LockTarget) -> Demands:
        function = variant.function
        needed = self._project.requirements(function)
        if needed is not None and needed.graph is not None:
            return demands.of_graph(needed.graph, target)
        if function.lockfile is None or needed is None:
            return {}
        lock = self._project.layout.root / function.lockfile
        return demands.of_lock(lock, needed.entries, target)


def _outdated(project: Project, variants: Iterable[Variant]) -> Iterator[str]:
    """Yield a remark for each lockfile that is out of date."""
    functions = {one.function.lockfile: one.function for one in variants if one.function.lockfile}
    for path, function in sorted(functions.items()):
        try:
            needed = project.requirements(function)
        except BuildError:  # an error of its variants already
            continue
        lock = project.layout.root / str(path)
        if needed is None or not lock.exists():
            continue
        if problem := lockfile.state(lock, needed, project.lock_targets(function)):
            yield f"{path} {problem}; the answer is about its present pins"


def _unknown(change: Change, names: Iterable[str]) -> str:
    close = closest(change.package, names)
    hint = f"did you mean '{close}'?" if close else "'lambdas report' lists all packages"
    return f"no lockfile has {change.package}; {hint}"


def _is_same(present: str, version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(present) == Version(version)
    except InvalidVersion:  # a URL
        return False


def lines(found: Answer) -> Iterator[str]:
    """Yield an answer as lines."""
    every = found.unaffected + len({one.variant.id for one in found.holders})
    for change in found.changes:
        holders = [one for one in found.holders if one.change == change]
        changed = [one for one in holders if one.changes]
        yield f"{change} would change {len(changed)} of {every} ZIPs"
        yield from _rows(changed)
        yield from _named(f"already on {change.version}", (h for h in holders if not h.differs))
        through = [one for one in holders if one.differs and one.layer]
        for layer in dict.fromkeys(one.layer for one in through):
            label = f"only through the layer {layer}"
            yield from _named(label, (one for one in through if one.layer == layer))
    if len(found.changes) > 1:
        yield f"Together: {len(found.changed)} of {every} ZIPs"
    yield from (f"{name}: not known: {text}" for name, text in found.errors.items())
    yield from (f"Remark: {text}" for text in found.remarks)


def _rows(changed: Sequence[Holder]) -> Iterator[str]:
    rows = [("variant", "now", "required by")]
    rows += [(one.variant.id, one.present, _required(one)) for one in changed]
    if changed:
        yield from (f"  {line}" for line in table(rows, numbers=False))


def _required(holder: Holder) -> str:
    version = holder.change.version
    return "; ".join(_shown(demand, version) for demand in holder.demands) or "not in the lock"


def _shown(demand: Demand, version: str) -> str:
    if not demand.text:
        return demand.by
    excluded = f", which excludes {version}" if demand.allows(version) is False else ""
    return f"{demand.by} ({demand.text}{excluded})"


def _named(label: str, holders: Iterable[Holder]) -> Iterator[str]:
    if names := [one.variant.id for one in holders]:
        yield f"  {label}: {', '.join(names)}"
