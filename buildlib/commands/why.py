"""Why something will be built, or was: in words, from the data that decide it."""

from collections.abc import Iterator

from buildlib import recipe
from buildlib.errors import BuildError
from buildlib.files import atomic
from buildlib.lock import lockfile
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import run
from buildlib.steps.zip import hash_is_done


def why(project: Project, one: Variant) -> Iterator[str]:
    """Yield a line for each step of a variant that has something to do, or one that none has."""
    try:
        yield from _variant(project, one)
    except BuildError as error:
        yield f"{one.id}: cannot be built as it is"
        yield from (f"  {line}" for line in str(error).splitlines())


def _variant(project: Project, one: Variant) -> Iterator[str]:
    function = one.function
    requirements = project.requirements(function)
    if requirements is not None and function.lock is not None:
        path, python = project.layout.root / function.lock, project.lowest_python(function)
        problem = lockfile.state(path, requirements, python)
        if problem is not None:
            yield f"{one.id}: lock:{function.name} will run: {function.lock} {problem}"
            yield "  what else will run depends on the new lock"
            return
    stamp = atomic.read_json(project.layout.stamp("zip", one.id)) or {}
    if project.built(one):
        if hash_is_done(project, one):
            yield f"{one.id}: nothing will run"
        else:
            yield f"{one.id}: hash will run: what describes it in dist/ is not right"
        yield from (f"  last built: {reason}" for reason in stamp.get("reasons", []))
        return
    now = project.artifact(one)
    reasons = recipe.difference(stamp["recipe"], now) if "recipe" in stamp else ["not built yet"]
    reasons = reasons or [f"dist/{one.id}.zip is missing or damaged"]
    if project.stored(one):
        yield f"{one.id}: hash will run, and take the ZIP from the store"
    else:
        wanted = [step.name for step in run.STEPS if not step.is_done(project, one)]
        yield f"{one.id}: {', '.join(wanted)} will run"
    yield from (f"  {reason}" for reason in reasons)
