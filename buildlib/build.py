"""All steps of a variant without doit: for other programs that need its ZIP, many at once."""

from collections.abc import Iterator

from buildlib import files, steps
from buildlib.archive import Written
from buildlib.errors import StageError
from buildlib.model import Variant
from buildlib.project import Project


def run(project: Project, one: Variant) -> Iterator[str]:
    """Do what `doit hash:<id>` does, and yield the name of each step that had something to do.

    Processes that want the same variant wait for each other.

    Raises:
        BuildError: as the steps do.

    """
    if not steps.lock_is_done(project, one.function):
        steps.make_lock(project, one.function, renew=False)
        yield "lock"
    if steps.hash_is_done(project, one):
        return
    with files.locked(project.layout.lock(f"build-{one.id}")):
        for step in steps.STEPS:
            if not step.is_done(project, one):
                step.run(project, one)
                yield step.name


def variant(project: Project, one: Variant) -> Written:
    """Bring the ZIP of a variant into `dist/`, and return what it is.

    Raises:
        BuildError: as the steps do.

    """
    for _ in run(project, one):
        pass
    written = project.built(one)
    if written is None:
        msg = f"dist/{one.id}.zip: something else changed it or its inputs meanwhile; run it again"
        raise StageError(msg, "changed")
    return written
