"""The steps `zip` and `hash`, and `index`: a tree, or the store, to `dist/`."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from buildlib import recipe
from buildlib.artifacts import hashes, index, limits
from buildlib.errors import ArchiveError, BuildError
from buildlib.files import atomic
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.steps import evidence, members
from buildlib.steps.lock import lock_is_done
from buildlib.steps.stage import Staged, clean_stage, stage_and_touch, staged, tree_locked
from buildlib.steps.venv import make_venv

_logger = logging.getLogger(__name__)


def zip_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the ZIP of the present inputs is there, or `hash` can take it from the store."""
    return project.is_available(variant)


def zip_is_published(project: Project, variant: Variant) -> bool:
    """Tell whether the ZIP of the present inputs is in dist/, as one who names it expects."""
    written = project.built(variant)
    return written is not None and limits.fits(variant, written)


def make_zip(project: Project, variant: Variant) -> None:
    """Write the ZIP and publish it, together with its checksum and its entry in the index.

    If the store has it, it is taken from there; one that is in dist/ already is built all the same.
    """
    with tree_locked(project, variant):
        _check_built(project, variant)
        if project.built(variant) is None and _take(project, variant):
            return
        tree = staged(project, variant)
        if tree is None or tree.key != project.key(variant):
            # `doit forget`, or someone tidied up while the ZIP was there
            tree = stage_and_touch(project, variant)
        try:
            _write(project, variant, tree)
        except ArchiveError:
            # Someone changed a file in build/ or in uv's cache: nothing there can be trusted.
            clean_stage(project, variant)
            make_venv(project, variant, anew=True)
            _write(project, variant, stage_and_touch(project, variant))


def _check_built(project: Project, variant: Variant) -> None:
    """Stop if the ZIP that is there is over a limit that was lowered since it was built."""
    written = project.built(variant)
    if written is not None and not limits.fits(variant, written):
        limits.check(
            variant, written, project.layout.zip(variant.id), project.sources(variant.function)
        )


def _take(project: Project, variant: Variant) -> bool:
    """Publish the ZIP of the present inputs from the store, if it has a whole one."""
    with _new_zip(project, variant) as temporary:
        written = project.store.take(project.key(variant), temporary)
        if written is None:
            return False
        _publish(project, variant, written, temporary, "store")
    project.remember_built(variant, written)
    return True


def _write(project: Project, variant: Variant, tree: Staged) -> None:
    with _new_zip(project, variant) as temporary:
        written = members.write(project, variant, tree, temporary)
        extra = members.zip_record(project, variant, tree, temporary)
        _publish(project, variant, written, temporary, "build", **extra)
    project.store.put(project.key(variant), project.layout.zip(variant.id), written)
    project.remember_built(variant, written)  # last: its link in the store changed its ctime


@contextlib.contextmanager
def _new_zip(project: Project, variant: Variant) -> Iterator[Path]:
    temporary = project.layout.dist / f".{variant.id}.zip.tmp"
    temporary.parent.mkdir(exist_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _publish(
    project: Project,
    variant: Variant,
    written: Written,
    new: Path,
    origin: str,
    **extra: object,
) -> None:
    """Publish a ZIP if Lambda takes it; record what it was made from, why, and the one before.

    `extra` is what else its record says, if it was built here.
    """
    if warning := limits.check(variant, written, new, project.sources(variant.function)):
        _logger.warning("%s", warning)
    now = project.artifact(variant)
    before = atomic.read_json(project.layout.stamp("zip", variant.id))
    known = isinstance(before, dict) and "recipe" in before
    reasons = recipe.difference(before["recipe"], now) if known else ["never built here before"]
    reasons = reasons or (
        before.get("reasons", []) if project.built(variant) else ["lost or damaged"]
    )
    hashes.check(project.recorded(), variant, project.key(variant), written.sha256)
    beside = evidence.make(project, variant, written, new)
    index.publish(project.layout, variant, written, new=new, evidence=beside)
    record = {
        "key": project.key(variant),
        "recipe": now,
        "written": written,
        "reasons": reasons,
        "from": origin,
        "previous": before.get("written") if known else None,
    }
    atomic.write_json(project.layout.stamp("zip", variant.id), record | extra)
    evidence.record(project, variant, written)


def clean_zip(project: Project, variant: Variant) -> None:
    """Remove the ZIP of a variant, with all that describes it."""
    index.withdraw(project.layout, variant.id)
    if project.store.folder.is_relative_to(project.layout.build):
        with contextlib.suppress(BuildError):
            project.store.discard(project.key(variant))
    atomic.remove(project.layout.stamp("zip", variant.id))
    members.clean(project, variant)


def hash_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether all that describes the ZIP does so, and it is not larger than it may be."""
    written = project.built(variant)
    if written is None or not limits.fits(variant, written):
        return False
    if not index.is_listed(project.layout, variant, written, project.index()):
        return False
    if project.is_settled(variant):
        return True
    if not index.has_checksum(project.layout, variant, written):
        return False
    if not evidence.is_there(project, variant, written):
        return False
    if lock_is_done(project, variant.function):
        project.settle(variant, written)
    return True


def make_hash(project: Project, variant: Variant) -> None:
    """Describe the ZIP: take it from the store first, if it is not in dist/."""
    written = project.built(variant)
    if written is None:
        make_zip(project, variant)
    else:
        _check_built(project, variant)
        beside = evidence.make(project, variant, written, project.layout.zip(variant.id))
        index.publish(project.layout, variant, written, evidence=beside)
        evidence.record(project, variant, written)


def clean_hash(project: Project, variant: Variant) -> None:
    """Remove what describes the ZIP of a variant."""
    index.withdraw(project.layout, variant.id, zip_too=False)
    evidence.clean(project, variant)


def removed(project: Project) -> list[str]:
    """Return the ids of artifacts that the manifest no longer declares."""
    return [variant_id for variant_id in project.index() if variant_id not in project.variants]


def index_is_done(project: Project) -> bool:
    """Tell whether dist/ has no more than is declared, and the store no more than it may."""
    return not removed(project) and not project.store.is_full()


def prune(project: Project) -> None:
    """Remove the artifacts that are no longer declared, and what the store has too much."""
    project.store.evict()
    for variant_id in removed(project):
        index.withdraw(project.layout, variant_id)
