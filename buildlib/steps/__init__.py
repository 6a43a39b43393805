"""The steps, from the lock to the published ZIP; each can tell whether it has anything to do.

They are plain functions of a project and a variant and know nothing of doit. Each leaves a record
of its own when it has finished, so that a run that was killed is taken up where it ended. No step
before `zip` has anything to do while the ZIP of the present inputs is there.
"""

from collections.abc import Callable
from typing import NamedTuple

from buildlib.model import Variant
from buildlib.project import Project
from buildlib.steps import times
from buildlib.steps.artifacts import (
    clean_hash,
    clean_zip,
    hash_is_done,
    index_is_done,
    make_hash,
    make_zip,
    prune,
    zip_is_done,
    zip_is_published,
)
from buildlib.steps.environments import buildable, clean_venv, make_venv, venv_is_done
from buildlib.steps.locks import lock_is_done, make_lock
from buildlib.steps.records import make_record, record_is_done
from buildlib.steps.trees import (
    clean_stage,
    clean_touch,
    make_stage,
    make_touch,
    stage_is_done,
    touch_is_done,
)

__all__ = [
    "STEPS",
    "Step",
    "buildable",
    "clean_stage",
    "clean_zip",
    "hash_is_done",
    "index_is_done",
    "lock_is_done",
    "make_lock",
    "make_record",
    "make_zip",
    "prune",
    "record_is_done",
    "zip_is_done",
    "zip_is_published",
]


class Step(NamedTuple):
    """A step of every variant: whether it is done, how it is done, how it is undone."""

    name: str
    doc: str
    is_done: Callable[[Project, Variant], bool]
    make: Callable[[Project, Variant], None]
    clean: Callable[[Project, Variant], None]

    def run(self, project: Project, variant: Variant) -> None:
        """Do the step, and note how long it took."""
        with times.taken(project, self.name, variant):
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
