"""`lambdas why`: the steps that will run and why, or the reasons of the last build."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import pending
from buildlib.steps import zip as archive

# Modules that are named.
_SHOWN = 5


class Explanation(NamedTuple):
    """Why a variant will be built, or why it was.

    `steps` are those that will run, each with its reason; they are not known while `lock`, the
    problem of its lockfile, is not mended. `reasons` are those of the next build, or of the last
    one if the variant `is_built`. `error` is the message where inputs cannot be read.
    """

    id: str
    lock: str = ""
    steps: Sequence[tuple[str, str]] = ()
    is_built: bool = False
    reasons: Sequence[str] = ()
    pruned: Sequence[str] = ()
    error: str = ""

    @property
    def is_pending(self) -> bool:
        """Tell whether a build has something to do for the variant."""
        return bool(self.lock or self.steps or self.error)


def explain(project: Project, variant: Variant, forgotten: Collection[str] = ()) -> Explanation:
    """Return which steps of a variant will run, and why.

    `forgotten` are the steps that run anyway, since doit forgot them.
    """
    try:
        return _explain(project, variant, forgotten)
    except BuildError as error:
        return Explanation(variant.id, error=str(error))


def _explain(project: Project, variant: Variant, forgotten: Collection[str]) -> Explanation:
    function = variant.function
    if problem := project.lock_problem(function):
        name = function.name
        return Explanation(variant.id, f"lock:{name} will run: {function.lockfile} {problem}")
    steps = pending.pending(project, variant)
    again = {step: "forgotten with doit forget" for step in forgotten if step not in steps}
    status, layout = project.status(variant), project.layout
    pruned = project.pruned(function)
    if status.written is None:
        reasons: Sequence[str] = pending.build_reasons(project, variant)
        if not status.stored and not project.remote.has(variant):
            steps = dict.fromkeys(steps, "")  # all of them, for the same reasons
    else:
        stamp = archive.load(layout, variant.id)
        reasons = stamp.reasons if stamp else ()
    is_built = status.written is not None
    return Explanation(variant.id, "", (*again.items(), *steps.items()), is_built, reasons, pruned)


def lines(found: Explanation) -> Iterator[str]:
    """Yield an explanation as lines."""
    if found.error:
        yield f"{found.id}: cannot be built"
        yield from (f"  {line}" for line in found.error.splitlines())
        return
    if found.lock:
        yield f"{found.id}: {found.lock}"
        yield "  The other steps depend on the new lockfile."
        return
    alike = [step for step, reason in found.steps if not reason]
    for step, reason in found.steps:
        if reason:
            yield f"{found.id}: {step} will run: {reason}"
    if alike:
        yield f"{found.id}: {', '.join(alike)} will run"
    if not found.steps:
        yield f"{found.id} is up to date"
    if found.pruned:
        more = f" and {len(found.pruned) - _SHOWN} more" if len(found.pruned) > _SHOWN else ""
        shown = ", ".join(found.pruned[:_SHOWN])
        yield f"  prune: no import of the handler leads to {shown}{more}"
    label = "last build: " if found.is_built else ""
    yield from (f"  {label}{reason}" for reason in found.reasons)
