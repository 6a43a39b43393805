"""`lambdas merge`: publish the ZIPs of shards here, if every variant has one of these inputs.

Nothing is taken from a shard but its ZIPs and the times of its steps. Their checksums, evidence and
index are made here, from the same inputs, so they are those of a build. All problems are found
before the first ZIP is published.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import hashes, shard
from buildlib.artifacts.shard import Built
from buildlib.cache import digests
from buildlib.errors import BuildError, MergeError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import pending, run, times

# Names in a message.
_SHOWN = 20


class Offer(NamedTuple):
    """A ZIP that a shard offers for a variant: its file, and the facts in `shard.json`."""

    path: Path
    built: Built


class Merged(NamedTuple):
    """How many ZIPs were published, and how many were in dist/ already."""

    published: int
    unchanged: int


def merge(project: Project, folders: Sequence[Path]) -> Merged:
    """Publish the ZIPs of shards, each given by its `dist/`.

    Raises:
        MergeError: a variant has no ZIP of the present inputs, or two; the message lists all
            problems. Nothing was published.
        BuildError: Lambda does not take a ZIP, or it does not match the recorded hash.

    """
    offers, problems = _offers(folders)
    undeclared = sorted(offers.keys() - project.variants.keys())
    problems += _named("lambdas.yaml here does not declare", undeclared, _where(offers, undeclared))
    chosen: dict[str, Offer] = {}
    missing = []
    sha256 = _sha256(offer.path for some in offers.values() for offer in some)
    for variant in project.variants.values():
        found, mistakes = _usable(project, variant, offers.get(variant.id, []), sha256)
        problems += mistakes
        if found is not None:
            chosen[variant.id] = found
        elif not mistakes and project.status(variant).written is None:
            missing.append(variant.id)
    problems += _named("no shard has a ZIP of", missing, "")
    if problems:
        msg = "\n".join([*problems, "Nothing was published."])
        raise MergeError(msg)
    return _publish(project, chosen)


def _offers(folders: Sequence[Path]) -> tuple[dict[str, list[Offer]], list[str]]:
    """Return the ZIPs of all shards, by the ids of variants, and the problems of shards."""
    offers: dict[str, list[Offer]] = {}
    problems = []
    for folder in folders:
        try:
            for name, built in shard.read(folder).items():
                offers.setdefault(name, []).append(Offer(folder / f"{name}.zip", built))
        except MergeError as error:
            problems.append(str(error))
    return offers, problems


def _sha256(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the sha256 of files; empty for one that cannot be read."""

    def one(path: Path) -> str:
        try:
            return digests.sha256(path)
        except OSError:
            return ""

    every = list(dict.fromkeys(paths))
    with ThreadPoolExecutor() as pool:
        return dict(zip(every, pool.map(one, every), strict=True))


def _usable(
    project: Project, variant: Variant, offers: Sequence[Offer], sha256: Mapping[Path, str]
) -> tuple[Offer | None, list[str]]:
    """Return an offer of the present inputs, if there is one, and the problems of all."""
    if not offers:
        return None, []
    try:
        inputs, here = project.inputs(variant), project.status(variant).written
    except BuildError as error:
        return None, [f"{variant.id}: its inputs here are unknown. {error}"]
    problems, usable = [], list[Offer]()
    for offer in offers:
        if offer.built.key != inputs.key:
            others = offer.built.dependencies != inputs.environment_key
            what = "dependencies" if others else "sources or options"
            problems.append(f"{offer.path}: built from other {what} than those here")
        elif sha256[offer.path] != offer.built.sha256:
            damage = "damaged" if sha256[offer.path] else "missing or unreadable"
            problems.append(f"{offer.path}: {damage}; expected sha256 {offer.built.sha256}")
        else:
            usable.append(offer)
    known = {offer.built.sha256: str(offer.path) for offer in reversed(usable)}
    if here is not None and usable:
        known.setdefault(here.sha256, project.layout.relative(project.layout.zip(variant.id)))
    if len(known) > 1:
        shown = " and ".join(f"{place} has sha256 {digest}" for digest, place in known.items())
        problems.append(f"{variant.id}: the same inputs gave different ZIPs: {shown}")
    if usable:
        try:
            recorded = project.recorded()
            hashes.check(recorded, variant, inputs.key, usable[0].built.sha256)
        except BuildError as error:
            problems.append(str(error))
    return (usable[0] if usable else None), problems


def _where(offers: Mapping[str, Sequence[Offer]], names: Iterable[str]) -> str:
    folders = dict.fromkeys(str(offers[name][0].path.parent) for name in names)
    return f" of {', '.join(folders)}; these shards are of another commit"


def _named(words: str, names: Sequence[str], rest: str) -> Iterator[str]:
    """Yield a line about some variants, if there are any."""
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{words} {', '.join(names[:_SHOWN])}{more}{rest}"


def _publish(project: Project, chosen: Mapping[str, Offer]) -> Merged:
    """Publish ZIPs, those of layers first: the size of a function counts with its layers."""
    variants = [project.variants[name] for name in chosen]
    for variant in variants:
        for step, time in chosen[variant.id].built.times.items():
            times.note(project.layout, step, variant.id, time)
    new = [one for one in variants if pending.reason(project, one, "hash") is not None]
    for variant in sorted(new, key=lambda one: not one.function.is_layer):
        offer = chosen[variant.id]
        run.adopt(project, variant, offer.path, offer.built.sha256)
    for variant in new:
        run.confirm(project, variant)
    project.save()
    return Merged(len(new), len(project.variants) - len(new))
