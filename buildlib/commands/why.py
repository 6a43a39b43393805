"""`doit why`: the steps that will run and why, or the reasons of the last build."""

from collections.abc import Collection, Iterator

from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import pending
from buildlib.steps import zip as archive

# Modules that are named.
_SHOWN = 5


def why(project: Project, variant: Variant, forgotten: Collection[str] = ()) -> Iterator[str]:
    """Yield which steps of a variant will run, and the reasons; or that it is up to date.

    `forgotten` are the steps that run anyway, since doit forgot them.
    """
    try:
        yield from _why(project, variant, forgotten)
    except BuildError as error:
        yield f"{variant.id}: cannot be built as it is"
        yield from (f"  {line}" for line in str(error).splitlines())


def _why(project: Project, variant: Variant, forgotten: Collection[str]) -> Iterator[str]:
    function = variant.function
    if problem := project.lock_problem(function):
        yield f"{variant.id}: lock:{function.name} will run: {function.lockfile} {problem}"
        yield "  which other steps run depends on the new lockfile"
        return
    steps = pending.pending(project, variant)
    status = project.status(variant)
    again = [step for step in forgotten if step not in steps]
    yield from (f"{variant.id}: {step} will run: doit forgot it" for step in again)
    if not steps:
        if not again:
            yield f"{variant.id} is up to date"
    elif status.written or status.stored:
        yield from (f"{variant.id}: {step} will run: {reason}" for step, reason in steps.items())
    else:
        yield f"{variant.id}: {', '.join(steps)} will run"
    if pruned := project.pruned(function):
        more = f" and {len(pruned) - _SHOWN} more" if len(pruned) > _SHOWN else ""
        yield f"  prune: no import of the handler leads to {', '.join(pruned[:_SHOWN])}{more}"
    if status.written is None:
        yield from (f"  {reason}" for reason in pending.build_reasons(project, variant))
    elif stamp := archive.load(project.layout, variant.id):
        yield from (f"  last build: {reason}" for reason in stamp.reasons)
