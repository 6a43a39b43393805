"""The one decider: which steps of a variant are pending, and why.

doit's up-to-date checks, `why`, `watch`, `verify`, the report and the program for Terraform ask
here. No step before `zip` has anything to do while the ZIP of the present inputs is in dist/, in
the store or in the remote cache.
"""

# The steps are imported where they are asked: an unchanged run asks none.

from collections.abc import Callable
from typing import NamedTuple

from buildlib import recipe
from buildlib.artifacts import growth, hashes, limits
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.project.status import Status
from buildlib.steps import evidence
from buildlib.steps import hash as description


class Step(NamedTuple):
    """A step of every variant, and its purpose in a few words."""

    name: str
    doc: str


STEPS = (
    Step("venv", "install the dependencies for the runtime and architecture"),
    Step("stage", "assemble the package tree"),
    Step("touch", "set the canonical mtime and mode of every staged file"),
    Step("zip", "write dist/<id>.zip, its checksum and its index entry"),
    Step("hash", "take the ZIP from the cache, or repair its checksum and index entry"),
)


def pending(project: Project, variant: Variant) -> dict[str, str]:
    """Return the steps of a variant that have something to do, in order, each with its reason.

    Raises:
        BuildError: the inputs of the variant cannot be worked out.

    """
    reasons = ((step.name, reason(project, variant, step.name)) for step in STEPS)
    return {name: why for name, why in reasons if why is not None}


def reason(project: Project, variant: Variant, step: str, *, named: bool = False) -> str | None:
    """Return why a step has something to do; None if it is up to date.

    A ZIP that is `named` has to be in dist/ afterwards; otherwise it is enough that the store or
    the remote cache has it, since `hash` takes it from there.

    Raises:
        BuildError: the inputs of the variant cannot be worked out.

    """
    status = project.status(variant)
    if status.written is not None:
        fits = limits.fits(variant, status.written) and not _outgrown(project, variant)
        if step == "hash" or (step == "zip" and named and not fits):
            return _description_problem(project, variant, status, status.written)
        return None
    if not (step == "zip" and named):
        place = "cache" if status.stored else "remote cache" if project.remote.has(variant) else ""
        if place:
            return f"the {place} has the ZIP of these inputs" if step == "hash" else None
        if project.farm is not None and project.farm.builds(variant):
            return _zip_reason(project, variant) if step == "hash" else None
    return _PENDING[step](project, variant)


def _outgrown(project: Project, variant: Variant) -> bool:
    """Tell whether the finished ZIP of a variant grew over its budget."""
    if variant.function.size_growth is None:
        return False
    written = project.status(variant).written
    recorded = hashes.sizes(project.recorded().get(variant.id))
    return written is not None and growth.exceeds(variant.function, written, recorded)


def _description_problem(
    project: Project, variant: Variant, status: Status, written: Written
) -> str | None:
    layout = project.layout
    if _outgrown(project, variant):
        return "it grew more than 'size_growth' allows"
    listed = project.listing.entry(variant.id)
    problem = description.listing_problem(variant, written, listed, layout)
    # No file of a function says that one of its layers changed, which its evidence names.
    names_layers = variant.function.evidence and variant.function.layers
    if problem is not None or (status.unchanged and not names_layers):
        return problem
    inputs, layers = project.inputs(variant), evidence.layers(project, variant)
    return description.file_problem(inputs, written, layout, project.digests, layers)


def _venv_reason(project: Project, variant: Variant) -> str | None:
    from buildlib.steps import venv

    if venv.is_installed(project.layout, project.inputs(variant).environment_key):
        return None
    return "the dependencies are not installed"


def _stage_reason(project: Project, variant: Variant) -> str | None:
    from buildlib.steps import stage
    from buildlib.tree import metadata

    inputs, layout = project.inputs(variant), project.layout
    staged = stage.staged(project, variant)
    if (
        staged is not None
        and metadata.is_touched(layout.staged(variant.id))
        and stage.is_intact(staged, inputs, layout)
    ):
        return None
    return "no tree of the present inputs is staged"


def _touch_reason(project: Project, variant: Variant) -> str | None:
    from buildlib.steps import stage
    from buildlib.tree import metadata

    staged = stage.staged(project, variant)
    if (
        staged is not None
        and staged.key == project.inputs(variant).key
        and metadata.is_touched(project.layout.staged(variant.id))
    ):
        return None
    return "the staged tree has no canonical metadata"


def _zip_reason(project: Project, variant: Variant) -> str:
    return "; ".join(build_reasons(project, variant))


_PENDING: dict[str, Callable[[Project, Variant], str | None]] = {
    "venv": _venv_reason,
    "stage": _stage_reason,
    "touch": _touch_reason,
    "zip": _zip_reason,
    "hash": _zip_reason,
}


def build_reasons(project: Project, variant: Variant, forced: str = "") -> list[str]:
    """Return why the ZIP in dist/ is not, or should not be, of the present inputs."""
    from buildlib.steps import zip as archive

    stamp = archive.load(project.layout, variant.id)
    if stamp is None:
        return ["first build here"]
    changes = recipe.difference(stamp.recipe, project.inputs(variant).recipe)
    return changes or [forced or f"dist/{variant.id}.zip is missing or damaged"]
