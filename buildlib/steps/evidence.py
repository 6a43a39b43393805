"""What stands beside a ZIP in dist/ if a function wants `evidence`; a part of the step `hash`."""

import os
from pathlib import Path

from buildlib.files import atomic
from buildlib.model import Variant, Written
from buildlib.project.project import Project


def make(project: Project, variant: Variant, written: Written, path: Path) -> dict[Path, bytes]:
    """Return the evidence of the ZIP at `path`, by the files that it belongs into."""
    if not variant.function.evidence:
        return {}
    from buildlib.artifacts import evidence  # 10 ms, and it is off by default

    return evidence.make(project.layout, variant, project.artifact(variant), written, path)


def record(project: Project, variant: Variant, written: Written) -> None:
    """Take note of the evidence that was just published, so that it need not be made again."""
    if variant.function.evidence:
        atomic.write_json(_stamp(project, variant), _state(project, variant, written))


def is_there(project: Project, variant: Variant, written: Written) -> bool:
    """Tell whether the evidence of a ZIP is as it was made, or not there if none is wanted."""
    if not variant.function.evidence:
        return not any(map(os.path.lexists, project.layout.evidence(variant.id)))
    try:
        return bool(atomic.read_json(_stamp(project, variant)) == _state(project, variant, written))
    except FileNotFoundError:
        return False


def clean(project: Project, variant: Variant) -> None:
    """Forget the evidence of a variant."""
    atomic.remove(_stamp(project, variant))


def _state(project: Project, variant: Variant, written: Written) -> list[str]:
    paths = map(str, project.layout.evidence(variant.id))
    digests = [project.digests.of(path, os.stat(path)) for path in paths]
    return [project.key(variant), written.sha256, *digests]


def _stamp(project: Project, variant: Variant) -> Path:
    return project.layout.stamp("evidence", variant.id)
