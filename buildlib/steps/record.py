"""The step `record`: what is in `dist/` to the committed record of keys and hashes."""

import logging
import os

from buildlib.artifacts import hashes
from buildlib.errors import BuildError, RecordError
from buildlib.files import atomic
from buildlib.lock import lockfile
from buildlib.model import Variant
from buildlib.project.project import Project

_logger = logging.getLogger(__name__)


def record_is_done(project: Project) -> bool:
    """Tell whether the record says what `dist/` has."""
    try:
        present = project.layout.hashes.read_bytes()
    except FileNotFoundError:
        return False
    return present == hashes.text(_wanted(project))


def make_record(project: Project) -> None:
    """Write the record; in CI, where nothing is committed, a stale one is an error instead."""
    wanted = _wanted(project)
    left_out = sorted(project.variants.keys() - wanted)
    if left_out:
        _logger.warning("lambdas.hashes.json: not built, so left out: %s", ", ".join(left_out))
    path, text = project.layout.hashes, hashes.text(wanted)
    if path.exists() and path.read_bytes() == text:
        return
    if lockfile.is_frozen(project.manifest.frozen, os.environ):
        known = project.recorded()
        ids = sorted(known.keys() | wanted)
        stale = [name for name in ids if known.get(name) != wanted.get(name)]
        why = "the manifest says 'frozen'" if project.manifest.frozen else "CI is set"
        msg = (
            f"lambdas.hashes.json: stale for {', '.join(stale) or 'its form only'}, and {why}, so "
            "it is not written here; run 'doit record' and commit the file"
        )
        raise RecordError(msg)
    atomic.write(path, text)


def _wanted(project: Project) -> dict[str, hashes.Entry]:
    """Return what to record: what is built, and what is recorded and cannot be built here."""
    known = project.recorded()
    wanted = {}
    for variant in project.variants.values():
        written = _written(project, variant)
        if written is not None:
            wanted[variant.id] = written
        elif variant.id in known and known[variant.id]["key"] == _key(project, variant):
            wanted[variant.id] = known[variant.id]
    return wanted


def _written(project: Project, variant: Variant) -> hashes.Entry | None:
    try:
        written = project.built(variant)
    except BuildError:
        return None
    return hashes.entry(project.key(variant), written.sha256) if written else None


def _key(project: Project, variant: Variant) -> str | None:
    try:
        return project.key(variant)
    except BuildError:
        return None
