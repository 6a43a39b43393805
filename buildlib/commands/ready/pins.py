"""The pins of lockfiles that a newer Python cannot have; each distinct lock is asked about once."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

from buildlib.archive import distributions
from buildlib.archive.reader import ZipReader
from buildlib.errors import ArchiveError, BuildError
from buildlib.lock import offers
from buildlib.lock.offers import Offer
from buildlib.lock.requirements import Requirements
from buildlib.lock.resolve import Resolver
from buildlib.model import LockTarget, Pin, Variant
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES
from buildlib.uv import settings

# Locks that are asked about at a time.
_JOBS = 4


@dataclass
class Lock:
    """A distinct lock: its pins for a target, and the variants that have it.

    `shown` is the path of the first such lockfile. `offer` is the answer of the index.
    """

    shown: str
    requirements: Requirements
    target: LockTarget
    pins: tuple[Pin, ...]
    variants: list[Variant] = field(default_factory=list)
    offer: Offer = Offer()  # noqa: RUF009 - a frozen value


def locks(
    project: Project, variants: Sequence[Variant], python: str
) -> tuple[list[Lock], dict[str, str]]:
    """Return the distinct locks of variants for a Python, and errors by the ids of variants."""
    found: dict[object, Lock] = {}
    errors: dict[str, str] = {}
    for variant in variants:
        try:
            one = _lock(project, variant, python)
        except BuildError as error:
            errors[variant.id] = str(error)
            continue
        if one is None:
            continue
        needed = one.requirements
        content = None if needed.graph else needed.sha256
        key = (content, needed.indexes, needed.choices, one.pins, one.target)
        found.setdefault(key, one).variants.append(variant)
    return list(found.values()), errors


def _lock(project: Project, variant: Variant, python: str) -> Lock | None:
    function = variant.function
    needed = project.requirements(function)
    if needed is None:
        return None
    same = (one for one in project.lock_targets(function) if one.python == variant.python)
    target = next(one for one in same if one.architecture == variant.architecture)
    target = target._replace(python=python)
    if needed.graph is not None:
        pins = tuple(offers.of_graph(needed, target))
    else:
        pins = tuple(pin._replace(hashes=()) for pin in project.locked(variant))
    return Lock(function.lockfile or needed.path, needed, target, pins)


def ask(project: Project, found: Sequence[Lock]) -> None:
    """Ask the package index about each lock."""
    cooldown = settings.cooldown(os.environ, project.layout.root)
    log = project.layout.log("ready", "pins")
    log.unlink(missing_ok=True)

    def one(lock: Lock) -> Offer:
        resolver = Resolver(project.layout.root, lock.requirements, log, cooldown)
        return offers.ask(resolver, lock.target, lock.pins, _excluded(project, lock))

    with ThreadPoolExecutor(_JOBS) as pool:
        jobs = [pool.submit(copy_context().run, one, lock) for lock in found]
        for lock, job in zip(found, jobs, strict=True):
            lock.offer = job.result()


def _excluded(project: Project, lock: Lock) -> Mapping[str, str]:
    """Return the packages of a built ZIP whose metadata exclude the Python, with the words."""
    for variant in lock.variants:
        try:
            return dict(_exclusions(ZipReader(project.layout.zip(variant.id)), lock))
        except (ArchiveError, OSError):  # not built, or damaged, which a build mends
            continue
    return {}


def _exclusions(archive: ZipReader, lock: Lock) -> Iterator[tuple[str, str]]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    python = lock.target.python
    patch = RUNTIMES[python].lowest_patch
    locked = {pin.name: pin.version for pin in lock.pins}
    for name, message in distributions.metadata(archive).items():
        bounds = str(message.get("Requires-Python", ""))
        try:
            fits = SpecifierSet(bounds).contains(patch, prereleases=True)
        except InvalidSpecifier:
            continue
        if not fits and locked.get(name) == message.get("Version"):
            yield name, f"excludes Python {python} (Requires-Python: {bounds})"
