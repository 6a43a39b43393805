"""Bring a variant's ZIP into dist/ without doit: for other programs that need it, many at once."""

import hashlib

from buildlib import files, steps
from buildlib.archive import Written
from buildlib.errors import StageError
from buildlib.model import Function, Variant
from buildlib.project import Project


def variant(project: Project, one: Variant) -> Written:
    """Do what has to be done for the ZIP of a variant, and return what it is.

    The steps are those of `doit hash:<id>`. Processes that want the same one wait for each other.

    Raises:
        BuildError: as the steps do.

    """
    _lock(project, one.function)
    if not steps.hash_is_done(project, one):
        with files.locked(project.layout.lock(f"build-{one.id}")):
            for step in steps.STEPS:
                if not step.is_done(project, one):
                    step.run(project, one)
    written = project.built(one)
    if written is None:
        msg = f"dist/{one.id}.zip: something else changed it or its inputs meanwhile; run it again"
        raise StageError(msg, "changed")
    return written


def _lock(project: Project, function: Function) -> None:
    """Make the lock of a function if there is none; functions with one folder share it."""
    if function.lock is None or steps.lock_is_done(project, function):
        return
    name = hashlib.sha256(function.lock.encode()).hexdigest()[:24]
    with files.locked(project.layout.lock(f"lock-{name}")):
        if not steps.lock_is_done(project, function):
            steps.make_lock(project, function, renew=False)
