"""The steps that variants share: `lock` and `record`."""

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterable

from buildlib.artifacts import hashes
from buildlib.errors import BuildError
from buildlib.files import locks
from buildlib.lock import lockfile
from buildlib.model import Function, Upgrade, Variant
from buildlib.project.project import Project


def lock_reason(project: Project, function: Function) -> str | None:
    """Return why a lockfile is out of date; None if it is not."""
    return project.lock_problem(function)


def make_lock(
    project: Project,
    function: Function,
    upgrade: Upgrade = Upgrade(),  # noqa: B008 - a frozen value
    *,
    named: bool = False,
) -> list[str] | None:
    """Write the lockfile if it is out of date, or to upgrade it; return its changes as lines.

    None if there was nothing to do. A lockfile that is `named` may be written where others are
    frozen. Processes that want the same lockfile wait for each other, and the second one finds it
    made.

    Raises:
        LockError: it is frozen, could not be made, or does not have a package to upgrade.

    """
    requirements = project.requirements(function)
    if requirements is None or function.lockfile is None:
        return None
    if not upgrade and project.lock_problem(function) is None:
        return None
    path = project.layout.root / function.lockfile
    if upgrade.packages and not upgrade.everything and path.exists():
        known = lockfile.names(path)
        if upgrade.packages.isdisjoint(known):
            return []
    from buildlib.steps import lock  # and with it the resolver

    name = hashlib.sha256(function.lockfile.encode()).hexdigest()[:24]
    with locks.locked(project.layout.lock(f"lock-{name}")):
        problem = project.lock_problem(function)
        if problem is None and not upgrade:
            return None
        if not upgrade and not named:
            lock.check_frozen(function, problem or "", frozen(project))
        inputs = lock.LockInputs(
            function,
            function.lockfile,
            requirements,
            project.lock_targets(function),
            project.wanted_images(function),
            project.pinned_images(function),
            project.wanted_compilers(function),
            project.pinned_compilers(function),
        )
        return lock.write(inputs, project.layout, upgrade)


def frozen(project: Project) -> str:
    """Return why committed files are not written here; empty if they are."""
    if project.frozen:
        return project.frozen
    if project.manifest.frozen:
        return "The manifest says 'frozen'"
    return "CI is set" if lockfile.is_frozen(False, os.environ) else ""  # noqa: FBT003


def note_unbuilt(project: Project, unbuilt: Iterable[Variant]) -> None:
    """Mark variants that failed in the index, unless dist/ cannot be written either."""
    with contextlib.suppress(OSError):
        project.listing.note_unbuilt(unbuilt, project.variants.values())


def record_reason(project: Project) -> str | None:
    """Return why lambdas.hashes.json is out of date; None if it is not."""
    from buildlib.steps import record

    if record.is_current(_expected(project), project.layout):
        return None
    return "lambdas.hashes.json does not have the hashes of dist/"


def make_record(project: Project) -> str:
    """Write lambdas.hashes.json, and return what changed in it.

    In CI, where nothing is committed, a stale one is an error.
    """
    from buildlib.steps import record

    said = record.write(
        _expected(project), project.variants, project.recorded(), project.layout, frozen(project)
    )
    return f"{project.layout.hashes.name}: {said}"


def accepted(project: Project, names: Collection[str]) -> dict[str, hashes.Entry]:
    """Return the new entries of variants whose ZIPs are built, although the run failed.

    It has none where nothing is committed.
    """
    if frozen(project):
        return {}
    found = _expected(project)
    return {
        name: found[name]
        for name in names
        if name in found and hashes.sizes(found[name]) is not None
    }


def _expected(project: Project) -> dict[str, hashes.Entry]:
    """Return the entries to record: of built variants, and known ones that cannot be built here."""
    known = project.recorded()
    entries = ((v.id, _entry(project, v, known.get(v.id))) for v in project.variants.values())
    return {variant_id: entry for variant_id, entry in entries if entry is not None}


def _entry(project: Project, variant: Variant, known: hashes.Entry | None) -> hashes.Entry | None:
    try:
        written, key = project.status(variant).written, project.inputs(variant).key
    except BuildError:
        return None
    if written is not None:
        return hashes.of(variant, key, written)
    return known if known is not None and known["key"] == key else None
