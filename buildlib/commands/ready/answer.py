"""`lambdas ready`: the obstacles to a newer Python, and the dates of the present ones."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from buildlib.commands.ready import bytecode, code, pins
from buildlib.commands.ready.bytecode import Need
from buildlib.commands.ready.pins import Lock
from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES, Runtime
from buildlib.text import table

# Names of variants that are shown for one lock.
_SHOWN = 6


class Answer(NamedTuple):
    """The result for a Python.

    `there` are the ids of variants that have it already, or a newer one. `locks` are the distinct
    locks of the others, `code` has the problems of their own code, `errors` those of their inputs,
    and `bytecode` the needs of their bytecode, by id. `today` is an ISO date.
    """

    python: str
    variants: Sequence[Variant]
    there: Sequence[str]
    locks: Sequence[Lock]
    code: Mapping[str, Sequence[str]]
    errors: Mapping[str, str]
    bytecode: Mapping[str, Need]
    today: str

    @property
    def blocked(self) -> set[str]:
        """The ids of the variants that are not ready."""
        by_pins = (
            one.id
            for lock in self.locks
            if lock.offer.blockers or lock.offer.conflict
            for one in lock.variants
        )
        by_bytecode = (name for name, need in self.bytecode.items() if need.blocks)
        return {*by_pins, *self.code, *by_bytecode}

    @property
    def unasked(self) -> set[str]:
        """The ids of the variants about whose pins the index gave no answer."""
        return {one.id for lock in self.locks if lock.offer.unasked for one in lock.variants}

    @property
    def unknown(self) -> set[str]:
        """The ids of the variants without an answer: from the index, or because of their inputs."""
        return self.unasked | self.errors.keys()

    @property
    def ready(self) -> list[str]:
        """The ids of the variants that are ready."""
        rest = self.blocked | self.unknown | set(self.there)
        return [one.id for one in self.variants if one.id not in rest]

    @property
    def runtimes(self) -> list[tuple[Runtime, int]]:
        """The runtimes of the variants, and how many have each."""
        counts: dict[str, int] = {}
        for one in self.variants:
            counts[one.python] = counts.get(one.python, 0) + 1
        return [(RUNTIMES[python], counts[python]) for python in RUNTIMES if python in counts]


def answer(project: Project, variants: Sequence[Variant], python: str, today: str) -> Answer:
    """Return the obstacles of variants to a Python; asks the package index."""
    order = list(RUNTIMES).index
    there = [one.id for one in variants if order(one.python) >= order(python)]
    rest = [one for one in variants if one.id not in there]
    locks, errors = pins.locks(project, rest, python)
    pins.ask(project, locks)
    packages = {one.id: _packages(lock) for lock in locks for one in lock.variants}
    found: dict[str, list[str]] = {}
    checked: dict[tuple[str, frozenset[str]], list[str]] = {}
    for one in rest:
        beside = packages.get(one.id, frozenset())
        key = (one.function.name, beside)
        try:
            if key not in checked:
                own = project.sources(one.function)
                arguments = (project.layout.root, own, python, beside)
                checked[key] = code.problems(*arguments)
        except BuildError as error:
            errors.setdefault(one.id, str(error))
            continue
        if checked[key]:
            found[one.id] = checked[key]
    needs = bytecode.needs(project, rest, python)
    return Answer(python, variants, there, locks, found, errors, needs, today)


def _packages(lock: Lock) -> frozenset[str]:
    return lock.offer.names | {pin.name for pin in lock.pins}


def state(runtime: Runtime, today: str) -> str:
    """Return how Lambda supports a runtime on a day."""
    if runtime.dates is None:
        return "preview" if runtime.is_preview else "supported"
    words = ("deprecated", "no new functions", "no updates")
    passed = [word for word, day in zip(words, runtime.dates, strict=True) if today >= day]
    return passed[-1] if passed else "supported"


def lines(found: Answer) -> Iterator[str]:
    """Yield an answer as lines."""
    yield f"{_counts(found)}"
    for lock in found.locks:
        yield from _of_lock(lock)
    for names, problems in _alike(found.code):
        yield f"code of {_listed(names)}:"
        yield from (f"  {line}" for line in problems)
    for names, needs in _alike({name: [need.text] for name, need in found.bytecode.items()}):
        yield f"bytecode of {_listed(names)}:"
        yield from (f"  {line}" for line in needs)
    for name, text in found.errors.items():
        yield f"{name}: not known:"
        yield from (f"  {line}" for line in text.splitlines())
    rows = [("runtime", "ZIPs", "now", "deprecated", "no new functions", "no updates")]
    for runtime, count in found.runtimes:
        dates = runtime.dates or ("-", "-", "-")
        rows.append((runtime.identifier, str(count), state(runtime, found.today), *dates))
    yield ""
    yield from table(rows, numbers=False)


def _counts(found: Answer) -> str:
    of = f"{len(found.ready)} of {len(found.variants)} ZIPs"
    parts = [f"{of} {_are(found.ready)} ready for Python {found.python}"]
    parts += [f"{len(found.there)} already on it or a newer one"] if found.there else []
    parts += [f"{len(found.blocked)} {_are(found.blocked)} not ready"] if found.blocked else []
    unasked = found.unasked - found.blocked
    parts += [f"{len(unasked)} not known, because the index gave no answer"] if unasked else []
    others = found.unknown - found.blocked - unasked
    parts += [f"{len(others)} not known"] if others else []
    return ", ".join(parts)


def _are(some: Collection[object]) -> str:
    return "is" if len(some) == 1 else "are"


def _of_lock(lock: Lock) -> Iterator[str]:
    offer = lock.offer
    if not (offer.blockers or offer.conflict or offer.unasked):
        return
    names = [one.id for one in lock.variants]
    yield f"{lock.shown} on {lock.target.architecture} (of {_listed(names)}):"
    for one in offer.blockers:
        yield f"  {one.name} {one.version} {one.reason}{_way_out(one.newer, fits=one.fits)}"
    text = offer.conflict or offer.unasked
    yield from (f"  {line}" for line in text.splitlines())


def _way_out(newer: str, *, fits: bool) -> str:
    if not newer:
        return "; no newer version has a wheel"
    if fits:
        return f"; a lock would take {newer}"
    return f"; {newer} has a wheel, but the lock or its requirements exclude it"


def _alike(by_id: Mapping[str, Sequence[str]]) -> list[tuple[list[str], Sequence[str]]]:
    """Return the groups of variants that have the same problems."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, problems in by_id.items():
        found.setdefault(tuple(problems), []).append(name)
    return [(names, problems) for problems, names in found.items()]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
