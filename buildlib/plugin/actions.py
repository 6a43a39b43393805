"""The work of tasks. This module alone calls the project, the steps and the commands."""

import atexit
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from doit.exceptions import InvalidDodoFile, TaskFailed
from doit.task import Task

from buildlib import errors, progress
from buildlib.commands import why as reasons
from buildlib.errors import BuildError
from buildlib.layout import MANIFEST
from buildlib.manifest import variants
from buildlib.model import Function, Variant
from buildlib.plugin import github
from buildlib.project.project import Project
from buildlib.steps import lock, record, run, venv
from buildlib.steps import zip as zip_step


class Work(NamedTuple):
    """The work of a task that is not of one variant: whether it is done, and how."""

    is_done: Callable[..., bool]
    make: Callable[..., None]


INDEX = Work(zip_step.index_is_done, zip_step.prune)


RECORD = Work(record.record_is_done, record.make_record)


LOCK = Work(lock.lock_is_done, lock.make_lock)


# A ZIP in dist/, where the step `zip` is also done if the store has it.
is_published = zip_step.zip_is_published


def load(root: Path) -> Project:
    """Return the project in a folder.

    Raises:
        InvalidDodoFile: the manifest has mistakes.

    """
    try:
        project = Project(root)
    except (BuildError, OSError) as error:
        message = errors.describe(error)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            sys.stdout.writelines(f"{line}\n" for line in github.annotations(MANIFEST, message))
        raise InvalidDodoFile(message) from None
    # doit tells a loader nothing of the end of a command.
    atexit.register(project.save)
    return project


def steps() -> tuple[run.Step, ...]:
    """Return the steps of each variant, in their order."""
    return run.STEPS


def ids(function: Function) -> list[str]:
    """Return the ids of a function's variants."""
    return [variant.id for variant in variants.expand(function)]


def act(
    make: Callable[..., None], *arguments: object, task: Task, **options: object
) -> TaskFailed | None:
    """Do the work of a task; a mistake of the user is a failed task, without a traceback."""
    try:
        with progress.task(task.name):
            make(*arguments, **options)
    except (BuildError, OSError) as error:
        return TaskFailed(errors.describe(error))
    return None


def make_lock(
    project: Project,
    function: Function,
    task: Task,
    renew: bool,  # noqa: FBT001 - doit's parameter
) -> TaskFailed | None:
    """Resolve the requirements of a function."""
    return act(LOCK.make, project, function, task=task, renew=renew)


def buildable(project: Project, name: str) -> dict[str, list[str]]:
    """Return the further dependencies of the default task: functions in containers.

    Functions that need an engine that is absent are left out.
    """
    with progress.task(name):
        return {"task_dep": [f"hash:{variant.id}" for variant in venv.buildable(project)]}


def watch(names: list[str]) -> TaskFailed | None:
    """Build at each change until Ctrl-C."""
    from buildlib.commands import watch as command  # for one task

    try:
        for line in command.run(Path.cwd(), names):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stdout.write("no longer watching\n")
    except (BuildError, OSError) as error:
        return TaskFailed(errors.describe(error))
    return None


def invoke(project: Project, variant: Variant, **options: Any) -> TaskFailed | None:  # noqa: ANN401 - as given
    """Run a function as Lambda does."""
    from buildlib.commands.invoke import run as command  # for one task

    try:
        found, where = command.invoke(project, variant, command.Options(**options))
    except (BuildError, OSError) as error:
        return TaskFailed(errors.describe(error))
    for line in command.shown(variant, found, where):
        sys.stderr.write(f"{line}\n")
    sys.stdout.write(f"{found.response}\n")
    return TaskFailed(f"{variant.id}: {found.error}") if found.error else None


def why(project: Project, variant: Variant) -> None:
    """Say why a variant would be built, or why it was."""
    _write(reasons.why(project, variant))


def verify(project: Project, variant: Variant) -> None:
    """Build a variant twice more, elsewhere, and compare."""
    from buildlib.commands import verify as command  # 10 ms, and seldom asked for

    _write(command.verify(project, variant))


def size(project: Project) -> None:
    """Show how large each variant is."""
    from buildlib.commands import size as command  # for one task

    _write(command.sizes(project))


def make_report(project: Project) -> None:
    """Write the report."""
    from buildlib.commands.report import command  # for one task

    command.make(project)


def report_is_done(project: Project) -> bool:
    """Tell whether the report is of the present build."""
    from buildlib.commands.report import command  # for one task

    return command.is_done(project)


def clean_report(project: Project) -> None:
    """Remove the report."""
    from buildlib.commands.report import command  # for one task

    command.clean(project)


REPORT = Work(report_is_done, make_report)


def _write(lines: Iterator[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
