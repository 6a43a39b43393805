"""All steps of a variant without doit: for other programs that need its ZIP, many at once."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from buildlib.errors import StageError
from buildlib.files import locks
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.steps import lock, times
from buildlib.steps.stage import (
    clean_stage,
    clean_touch,
    make_stage,
    make_touch,
    stage_is_done,
    touch_is_done,
)
from buildlib.steps.venv import clean_venv, make_venv, venv_is_done
from buildlib.steps.zip import clean_hash, clean_zip, hash_is_done, make_hash, make_zip, zip_is_done


class Step(NamedTuple):
    """A step of every variant: whether it is done, how it is done, how it is undone."""

    name: str
    doc: str
    is_done: Callable[[Project, Variant], bool]
    make: Callable[[Project, Variant], None]
    clean: Callable[[Project, Variant], None]

    def run(self, project: Project, variant: Variant) -> None:
        """Do the step, and note how long it took."""
        with times.timed(project, self.name, variant):
            self.make(project, variant)


STEPS = (
    Step(
        "venv",
        "install the dependencies for the runtime and architecture",
        venv_is_done,
        make_venv,
        clean_venv,
    ),
    Step(
        "stage",
        "put dependencies, code and shared code together",
        stage_is_done,
        make_stage,
        clean_stage,
    ),
    Step(
        "touch",
        "give every staged file the one mtime and mode",
        touch_is_done,
        make_touch,
        clean_touch,
    ),
    Step("zip", "write dist/<id>.zip", zip_is_done, make_zip, clean_zip),
    Step(
        "hash",
        "describe it in dist/<id>.zip.sha256 and dist/lambdas.json",
        hash_is_done,
        make_hash,
        clean_hash,
    ),
)


def run(project: Project, one: Variant) -> Iterator[str]:
    """Do what `doit hash:<id>` does, and yield the name of each step that had something to do.

    Processes that want the same variant wait for each other.

    Raises:
        BuildError: as the steps do.

    """
    if not lock.lock_is_done(project, one.function):
        lock.make_lock(project, one.function, renew=False)
        yield "lock"
    if hash_is_done(project, one):
        return
    with locks.locked(project.layout.lock(f"build-{one.id}")):
        for step in STEPS:
            if not step.is_done(project, one):
                step.run(project, one)
                yield step.name


def build_variant(project: Project, one: Variant) -> Written:
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
