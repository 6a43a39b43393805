"""The work of tasks. This module alone calls the project, the steps and the commands.

Imports inside of functions keep modules that an unchanged run does not need out of its start.
"""

import atexit
import contextlib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

from doit.exceptions import (
    InvalidCommand,
    InvalidDodoFile,
    InvalidTask,
    TaskError,
    TaskFailed,
)
from doit.task import Task

from buildlib import console, errors, progress
from buildlib.errors import BuildError, ManifestError
from buildlib.files import running
from buildlib.layout import MANIFEST, Layout
from buildlib.manifest import variants
from buildlib.model import Function, Variant
from buildlib.plugin import meta, signals
from buildlib.plugin.selection import Expecting
from buildlib.plugin.state import is_any_forgotten
from buildlib.project.project import Project
from buildlib.steps import pending, shared, tidy
from buildlib.steps.summary import Done

_FIRST, _LAST = pending.STEPS[0].name, pending.STEPS[-1].name

_P = ParamSpec("_P")

# doit runs a task that is up to date only if it is told to.
_ALWAYS = "every task was forced to run"


class Work(NamedTuple):
    """The work of a task for several variants: why it has to run, or None, and how."""

    reason: Callable[..., str | None]
    make: Callable[..., Any]


PRUNE = Work(tidy.prune_reason, tidy.prune)
EVICT = Work(tidy.evict_reason, tidy.evict)
RECORD = Work(shared.record_reason, shared.make_record)
LOCK = Work(shared.lock_reason, shared.make_lock)


@contextlib.contextmanager
def boundary() -> Iterator[None]:
    """Turn an unexpected exception outside of actions, of which doit tells no reporter, into text.

    Raises:
        InvalidDodoFile: with the message for the user.

    """
    try:
        yield
    except (InvalidDodoFile, InvalidTask, InvalidCommand):
        raise
    except Exception:  # noqa: BLE001 - the boundary
        raise InvalidDodoFile(_defect()) from None


def _defect() -> str:
    """Return the message about a defect of this package, whose details go into a file."""
    import traceback

    from buildlib import defects

    return defects.describe(traceback.format_exc(), Layout(Path.cwd()).defects)


def _guarded(action: Callable[_P, Any]) -> Callable[_P, Any]:
    """Let an action fail with a message instead of a traceback."""

    @functools.wraps(action)
    def run(*arguments: _P.args, **options: _P.kwargs) -> Any:  # noqa: ANN401 - as the action
        try:
            return action(*arguments, **options)
        except (BuildError, OSError) as error:
            return TaskFailed(errors.describe(error))
        except Exception:  # noqa: BLE001 - the boundary
            return TaskError(_defect())

    # doit asks for it before each run of an action, and working it out takes 50 us.
    run.__signature__ = inspect.signature(action)  # type: ignore[attr-defined]
    return run


def load(
    root: Path, *, generated: bool, runs: bool, frozen: str = "", sparse: bool = False
) -> Project:
    """Return the project in a folder; with `generated`, other tasks may make its sources.

    With `sparse`, sources may be missing, too: `check_present` looks at those that are needed.

    A process that `runs` tasks is noted until it ends. `frozen` says why lockfiles must not be
    written, if they must not.

    Raises:
        InvalidDodoFile: the manifest has mistakes.

    """
    try:
        project = _project(root, generated=generated, frozen=frozen, sparse=sparse)
    except (BuildError, OSError) as error:
        raise _refused(error) from None
    # doit tells a loader nothing of the end of a command.
    atexit.register(project.save)
    if runs:
        if problem := project.cache.problem():
            console.write(sys.stderr, f"warning: {problem}\n")
        atexit.register(running.end, running.begin(project.layout.running))
    return project


def _project(root: Path, *, generated: bool, frozen: str, sparse: bool) -> Project:
    try:
        return Project(root, generated=generated, frozen=frozen)
    except ManifestError as error:
        if not sparse:
            raise
        project = Project(root, generated=True, frozen=frozen)
        project.absent = error
        return project


def check_present(project: Project, variants: Iterable[Variant]) -> None:
    """Refuse a project of which a needed source is missing.

    Raises:
        InvalidDodoFile: with all mistakes of the manifest.

    """
    if project.absent is None:
        return
    root = project.layout.root
    for variant in variants:
        needed = [tree.path for tree in variant.function.include]
        needed += [variant.function.source] if not variant.function.is_layer else []
        needed += variant.function.requires.paths if variant.function.requires else ()
        if not all((root / path).exists() for path in needed):
            raise _refused(project.absent)


def use_farm(project: Project, farm: Expecting, variants: Iterable[Variant]) -> None:
    """Let a farm build variants.

    Raises:
        InvalidDodoFile: it cannot be used.

    """
    try:
        farm.expect(project, variants)
    except (BuildError, OSError) as error:
        raise InvalidDodoFile(errors.describe(error)) from None
    project.farm = farm


def _refused(error: BuildError | OSError) -> InvalidDodoFile:
    """Return doit's error for a manifest that cannot be used, after annotating it in CI."""
    message = errors.describe(error)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from buildlib.plugin import github

        annotator = github.Annotator()
        console.command(sys.stdout, annotator.add(github.errors(MANIFEST, message)))
        console.command(sys.stdout, annotator.end())
    return InvalidDodoFile(message)


def steps() -> tuple[pending.Step, ...]:
    """Return the steps of each variant, in their order."""
    return pending.STEPS


class Checks:
    """The up-to-date checks of one variant.

    The first step finds out whether all files are as they were when the variant was finished. Then
    the steps between it and the last one need not look again: in a run nothing but they themselves
    changes these files. A thousand functions have five thousand checks.
    """

    def __init__(self, project: Project, variant: Variant) -> None:
        self._project = project
        self._variant = variant
        self._is_unchanged = False

    def reason(self, step: str, *, named: bool) -> str | None:
        """Return why a step has something to do; after the last one, note a finished variant."""
        if self._is_unchanged and step != _LAST:
            return None
        why = pending.reason(self._project, self._variant, step, named=named)
        if step == _FIRST:
            self._is_unchanged = self._project.status(self._variant).unchanged
        elif step == _LAST and why is None and not self._is_unchanged:
            from buildlib.steps import run

            run.confirm(self._project, self._variant)
        return why


def finished(project: Project, state: str) -> Callable[[Variant], bool]:
    """Return a function that tells whether a variant has nothing to do, without reading its files.

    Tasks that `doit forget` named have to run; doit's `state` says so.
    """
    if is_any_forgotten(project.layout.root / state):
        return lambda _: False

    def is_finished(variant: Variant) -> bool:
        try:
            if not project.status(variant).unchanged:
                return False
            return pending.reason(project, variant, _LAST) is None
        except (BuildError, OSError):  # its tasks report the error
            return False

    return is_finished


@_guarded
def perform(project: Project, variant: Variant, step: str, task: Task) -> None:
    """Do a step of a variant, and note its result for the reporter."""
    from buildlib.steps import run

    asked = meta.asked(task)
    forced = asked.forced or ("" if asked.reason else _ALWAYS)
    try:
        with progress.task(task.name):
            done = run.perform(project, variant, step, named=asked.named, forced=forced)
    except (BuildError, OSError):
        shared.note_unbuilt(project, [variant])
        raise
    meta.note_done(task, done)


class Open:
    """The index and the uploads of a run, for a reporter to close.

    Tasks have no teardown for it: with processes, doit sends each teardown through a pipe that
    nobody reads any more, and waits for ever when some hundreds fill it.
    """

    def __init__(self, project: Project | None = None) -> None:
        self._project = project

    def __repr__(self) -> str:
        """Return a text for `doit info`."""
        return "index and uploads"

    def __reduce__(self) -> tuple[type["Open"], tuple[()]]:
        """Leave the project here when doit sends a task to another process."""
        return Open, ()

    def write(self) -> None:
        """Write the entries of the index that wait."""
        if self._project:
            with contextlib.suppress(OSError):  # a full disk; the next run writes them
                self._project.listing.flush()

    def close(self, say: Callable[[str], None]) -> dict[str, str]:
        """Write the index, end the uploads, and return the messages about disputed ZIPs by variant.

        `say` gets lines about the progress.
        """
        self.write()
        if self._project and self._project.farm:
            self._project.farm.finish()
        if not self._project or not self._project.remote.is_used:
            return {}
        from buildlib.steps import uploads

        return uploads.finish(self._project, say)


def clean(project: Project, variant: Variant, step: str) -> None:
    """Remove the result of a step."""
    from buildlib.steps import clean as command

    with _cleaning():
        command.clean(project, variant, step)


@contextlib.contextmanager
def _cleaning() -> Iterator[None]:
    """End doit with one message if something cannot be removed: it would go on and succeed."""
    try:
        yield
    except OSError as error:
        # doit redirects the streams of an action.
        stream = sys.__stderr__ or sys.stderr
        console.write(stream, f"doit clean stopped: {errors.describe(error)}\n")
        raise SystemExit(1) from None


def ids(function: Function) -> list[str]:
    """Return the ids of a function's variants."""
    return [variant.id for variant in variants.expand(function)]


@_guarded
def act(make: Callable[..., Any], *arguments: object, task: Task, **options: object) -> None:
    """Do the work of a task, and note what it says for the reporter."""
    with progress.task(task.name):
        said = make(*arguments, **options)
    if isinstance(said, str):
        meta.note_done(task, Done(changes=(said,)))


@_guarded
def make_lock(
    project: Project,
    function: Function,
    task: Task,
    upgrade: bool,  # noqa: FBT001 - doit's parameter
    upgrade_package: list[str],
) -> None:
    """Resolve the requirements of a function, and note the changes for the reporter."""
    from buildlib.lock import upgrades

    wanted = upgrades.read(upgrade_package, everything=upgrade)
    named = meta.asked(task).named
    try:
        with progress.task(task.name):
            found = LOCK.make(project, function, wanted, named=named)
    except (BuildError, OSError):
        shared.note_unbuilt(project, [project.variants[name] for name in ids(function)])
        raise
    if found is not None:
        meta.note_done(task, Done(changes=(f"{function.lockfile}:", *found)))


@_guarded
def buildable(project: Project, name: str, left_out: str) -> dict[str, list[str]]:
    """Return the further dependencies of the default task: functions in containers.

    Where an engine is absent, the task `left_out` takes the place of functions that need it.
    """
    from buildlib.steps import engines

    with progress.task(name):
        found, absent = engines.buildable(project)
        return {"task_dep": [*(f"hash:{v.id}" for v in found), *([left_out] if absent else [])]}


@_guarded
def makers(task: Task) -> dict[str, list[str]]:
    """Return the further dependencies of a function: the tasks that make its sources."""
    return {"task_dep": meta.makers(task)}


@_guarded
def leave_out(project: Project, task: Task) -> None:
    """Note the functions that need an absent engine, for the reporter; in CI, fail."""
    from buildlib.steps import engines

    meta.note_left_out(task, engines.leave_out(project))


@_guarded
def watch(names: list[str]) -> None:
    """Build at each change until Ctrl-C."""
    from buildlib.commands import watch as command  # for one task

    try:
        for line in command.watch(Path.cwd(), names):
            console.write(sys.stdout, f"{line}\n")
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        console.write(sys.stdout, "Stopped watching.\n")
        if isinstance(error, signals.Stopped):
            raise


@_guarded
def invoke(project: Project, variant: Variant, **options: Any) -> TaskFailed | None:  # noqa: ANN401 - as given
    """Run a function as Lambda does."""
    from buildlib.commands.invoke import run as command  # for one task

    found, where = command.invoke(project, variant, command.Options(**options))
    for line in command.shown(project, variant, found, where):
        console.write(sys.stderr, f"{line}\n")
    console.write(sys.stdout, f"{found.response}\n")
    return TaskFailed(f"{variant.id}: {found.error}") if found.error else None


@_guarded
def why(project: Project, variant: Variant, task: Task) -> None:
    """Say why a variant would be built, or why it was."""
    from buildlib.commands import why as command

    forgotten = [name.partition(":")[0] for name in meta.forgotten(task)]
    _write(command.lines(command.explain(project, variant, forgotten)))


def verify(project: Project, variant: Variant) -> None:
    """Build a variant twice more, elsewhere, and compare."""
    from buildlib.commands import verify as command  # 10 ms, and seldom asked for

    _write(command.verify(project, variant))


@_guarded
def size(project: Project) -> None:
    """Show how large each variant is."""
    from buildlib.commands import size as command  # for one task

    _write(command.lines(project, list(project.variants.values())))


@_guarded
def drift(project: Project) -> TaskFailed | None:
    """Compare the code that runs in AWS Lambda with this commit."""
    from buildlib.aws import account
    from buildlib.commands.live import drift as command
    from buildlib.commands.live import kept

    options = command.Options(os.environ.get("LAMBDA_ZIP_ENV", ""))
    found = command.check(project, account.connect, list(project.variants.values()), options)
    kept.keep(project.layout, options.env, "", found)
    _write(command.lines(found))
    return TaskFailed("not all functions run this commit") if command.exit_code(found) else None


def make_report(project: Project, against: str = "") -> None:
    """Write the report, compared with the index in the file `against`."""
    from buildlib.commands.report import command  # for one task

    command.make(project, against)


def report_reason(project: Project, against: str = "") -> str | None:
    """Return why the report is out of date; None if it is not."""
    from buildlib.commands.report import command  # for one task

    return None if command.is_done(project, against) else "dist/report.html is out of date"


def report_failures(root: Path, against: str, problems: Mapping[str, str]) -> str:
    """Write the report of a run in which variants failed; return why it was not written.

    `problems` has the messages of the variants that failed, by their ids.
    """
    from buildlib.commands.report import command  # for one task

    try:
        # A project that remembers nothing of the state before the run.
        command.make(Project(root, generated=True), against, problems)
    except (BuildError, OSError) as error:
        return f"report failed\n{errors.describe(error)}"
    except Exception:  # noqa: BLE001 - the boundary
        return _defect()
    return ""


def clean_report(project: Project) -> None:
    """Remove the report."""
    from buildlib.commands.report import command  # for one task

    with _cleaning():
        command.clean(project)


def clean_all(project: Project) -> None:
    """Remove the report, which would show files that are gone, and all of build/."""
    clean_report(project)
    with _cleaning():
        tidy.clean(project)


REPORT = Work(report_reason, make_report)


def _write(lines: Iterator[str]) -> None:
    for line in lines:
        console.write(sys.stdout, f"{line}\n")
