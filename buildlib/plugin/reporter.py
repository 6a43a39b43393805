"""The reporter `lambdas` of doit: running tasks, then the ZIPs that were built, and why."""

import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

from doit.exceptions import BaseFail, InvalidDodoFile, TaskFailed, UnmetDependency
from doit.reporter import ConsoleReporter
from doit.task import Task

from buildlib import console, errors
from buildlib.artifacts import earlier, growth, index
from buildlib.artifacts.earlier import Base
from buildlib.errors import BuildError
from buildlib.layout import Layout
from buildlib.plugin import meta, signals, views
from buildlib.plugin.result import Result
from buildlib.plugin.tally import Tally
from buildlib.steps import summary

FAILURE = 1  # of a task; doit ends with 2 after an unexpected error


_REPORT, _RECORD = "report", "record"


UNBUILT = 2  # with CI set, where an engine is absent and nothing else failed


def _locks(updated: int, unchanged: int) -> str:
    """Return the closing line about lockfiles."""
    counts = {"updated": updated, "unchanged": unchanged}
    plural = "s" if updated + unchanged > 1 else ""
    shown = ", ".join(f"{number} {how}" for how, number in counts.items() if number)
    return f"lockfile{plural}: {shown}"


def _cause(step: meta.Meta, message: str) -> tuple[str, str]:
    """Return the step and the message of a failure without the names of its variants."""
    names = {name for variant in step.variants for name in (variant, variant.split("-py3.")[0])}
    for name in sorted(names, key=len, reverse=True):
        message = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "*", message)
    return step.step, message


def _base() -> Base | None:
    """Return the build to compare with, by the environment.

    Raises:
        InvalidDodoFile: the variable names no such file.

    """
    if not (name := os.environ.get("LAMBDA_ZIP_AGAINST")):
        return None
    try:
        return earlier.Base(name, earlier.read(Path(name)))
    except BuildError as error:
        msg = f"LAMBDA_ZIP_AGAINST: {errors.describe(error)}"
        raise InvalidDodoFile(msg) from None


class Reporter(ConsoleReporter):  # type: ignore[misc] # doit has no type hints
    """The reporter `lambdas` of doit: it counts, and a view shows."""

    desc = "live on a terminal, plain elsewhere; a summary with reasons at the end"

    def __init__(self, outstream: TextIO, options: dict[str, Any]) -> None:
        super().__init__(outstream, options)
        self._layout = layout = Layout(Path.cwd())
        self._base: Base | None = options.get("base") or _base()
        self._tally = Tally()
        self._view = views.choose(
            outstream, self._tally, layout.build / "activity" / str(os.getpid())
        )
        self._shows: list[str] = []  # files to look at; the state of the record
        self._kinds: set[type[BaseFail]] = set()
        self._codes: set[int] = set()
        self._warnings: list[str] = []
        self._said: dict[tuple[str, str], str] = {}  # the first task that failed with a message
        self._locks = {True: 0, False: 0}  # lockfiles with and without changes
        self._repeated: dict[str, list[str]] = {}  # tasks that failed as an earlier one did
        self._problems: dict[str, str] = {}  # the first message of each variant that failed
        self._open: meta.Open | None = None
        self._report: Task | None = None  # the task `report`, wanted and not done
        self._records = False

    def initialize(self, tasks: dict[str, Task], selected_tasks: list[str]) -> None:
        """Prepare for the run."""
        super().initialize(tasks, selected_tasks)
        signals.install()
        self._view.begin()
        self._tally.skip(meta.Meta("hash", meta.without_tasks(tasks)))
        self._open = next(filter(None, map(meta.kept_open, tasks.values())), None)
        self._report = tasks.get(_REPORT) if _REPORT in selected_tasks else None
        self._records = _RECORD in selected_tasks

    def execute_task(self, task: Task) -> None:
        """Say that a task runs; before one of the repository's own, dist/ is made whole."""
        step = meta.read(task)
        if step is None and self._open:
            self._open.write()
        self._tally.start(task)
        self._view.start(task, step)

    def add_success(self, task: Task) -> None:
        """Take note of a task that went well."""
        step = meta.read(task)
        seconds = self._tally.end(task)
        if step and step.step != "lock":
            self._tally.succeed(step, seconds or 0.0, meta.done(task))
        if task.name == _RECORD:
            self._shows += meta.done(task).changes
        elif changes := meta.done(task).changes:
            title, *lines = changes
            self._locks[bool(lines)] += 1
            if lines:
                self._view.write("".join([f"{title}\n", *(f"  {line}\n" for line in lines)]))
        self._tally.leave_out(meta.left_out(task))
        self._end(step)
        if seconds is not None:
            self._view.end(task, step, failed=False)

    def skip_uptodate(self, task: Task) -> None:
        """Take note of a task that had nothing to do."""
        step = meta.read(task)
        if step and step.step == "lock":
            self._locks[False] += bool(task.actions and meta.asked(task).named)
        elif step:
            self._tally.skip(step)
        if task.name == _RECORD:
            self._shows.append("lambdas.hashes.json: up to date")
        self._end(step)
        self._view.skip(task, step)

    def skip_ignore(self, task: Task) -> None:
        """Say that the user told doit to ignore a task."""
        self._view.write(f"!! {task.title()}\n")

    def add_failure(self, task: Task, fail: BaseFail) -> None:
        """Report once why a task failed; our tasks that only depend on it are counted."""
        self._kinds.add(type(fail))
        step = meta.read(task)
        seconds = self._tally.end(task)
        if isinstance(fail, TaskFailed):
            self._codes.add(UNBUILT if step and step.step == meta.ENGINE else FAILURE)
        if step:
            self._tally.fail(step, seconds or 0.0)
        if seconds is not None:
            self._view.end(task, step, failed=True)
        if step is None and fail.report:
            # doit shows its output at the end
            self.failures.append({"task": task, "exception": fail})
        message = fail.get_msg().rstrip()
        if step:
            self._note_failure(task, step, message, is_cause=not isinstance(fail, UnmetDependency))
        if not isinstance(fail, UnmetDependency):
            if step or fail.report:
                self._say_failure(task, fail, message, is_ours=step is not None)
        elif step is None and fail.report and task.actions:  # of a group, each failure was said
            self._view.write(f"{task.name} was skipped because it needs {message}\n")

    def _note_failure(self, task: Task, step: meta.Meta, message: str, *, is_cause: bool) -> None:
        """Keep the message of a failure for the report, and whether that itself has to be made."""
        if step.step == _REPORT:
            self._report = None if is_cause else task
        elif is_cause:
            for variant in step.variants:
                self._problems.setdefault(variant, message)

    def _say_failure(self, task: Task, fail: BaseFail, message: str, *, is_ours: bool) -> None:
        is_expected = isinstance(fail, TaskFailed) or not is_ours
        step = meta.read(task)
        if step and is_expected:
            first = self._said.setdefault(_cause(step, message), task.name)
            if first != task.name:
                self._repeated.setdefault(first, []).append(task.name)
                return
        self._view.write(f"{task.name} failed\n{message}\n")
        self._view.annotate(task.name, message)

    def _say_repeated(self) -> None:
        """Name the tasks that failed for a cause that was said, and a remedy for all at once."""
        for first, others in self._repeated.items():
            self.write(f"same error as {first}: {', '.join(sorted(others))}\n")
        if way := growth.together(self._problems):
            self.write(f"{way}\n")

    def _finish(self) -> int:
        """Do the work at the end of a run; return the number of the signal that interrupts it."""
        if self._records:  # the sizes are recorded now, or as soon as nothing fails
            self._tally.withdraw(growth.UNKNOWN)
        try:
            self._do_at_end()
        except KeyboardInterrupt as error:
            return signals.number(error)
        return 0

    def _do_at_end(self) -> None:
        """Do the work at the end of a run, such as uploads; a failure in it fails the run."""
        if self._open is None:
            return
        for variant, message in self._open.close(
            lambda text: self._view.write(f"{text}\n")
        ).items():
            self._kinds.add(TaskFailed)
            self._codes.add(FAILURE)
            self._problems.setdefault(variant, message)
            self._tally.fail(meta.Meta("upload", [variant]), 0.0)
            self._view.write(f"upload of {variant} failed\n{message}\n")
            self._view.annotate(variant, message)

    def write(self, text: str) -> None:
        """Write lines for a reader."""
        console.write(self.outstream, text)

    def runtime_error(self, msg: str) -> None:
        """Say that doit cannot go on."""
        self._view.write(f"{msg}\n")

    def complete_run(self) -> None:
        """Sum up the run, and end it with its exit code."""
        interrupted = signals.number(sys.exc_info()[1]) or self._finish()
        self._view.close()
        super().complete_run()  # the output of tasks that are not ours
        if interrupted:
            self._tally.interrupt()
        elif self._report:
            self._report_failures(self._report)
        self._say_repeated()
        outcomes = self._tally.outcomes()
        if outcomes:
            self._view.table(outcomes)
        remarks = self._tally.remarks()
        self._warnings += (summary.note(*remark) for remark in remarks)
        self.write("".join(f"{note}\n" for note in self._warnings))
        self._view.warn(remarks)
        if any(self._locks.values()) and not outcomes:
            self.write(f"{_locks(self._locks[True], self._locks[False])}\n")
        if totals := self._tally.totals(outcomes):
            self.write(f"{totals}\n")
            self._compare()
        self.write("".join(f"{path}\n" for path in self._shows))
        if left_out := self._tally.left_out:
            self._warn(left_out)
        self._summarise()
        if interrupted:
            name = signal.Signals(interrupted).name
            how = "Interrupted" if interrupted == signal.SIGINT else f"Stopped by {name}"
            self.write(f"{how}. Finished work is kept; run the build again to resume.\n")
            raise SystemExit(128 + interrupted)  # as a shell says it
        # To doit, a task that waited for one that failed is an error of its own, and ends with 2.
        if TaskFailed in self._kinds and self._kinds <= {TaskFailed, UnmetDependency}:
            raise SystemExit(min(self._codes))

    def result(self, code: int) -> Result:
        """Return the result of a run that ended with an exit code."""
        left_out = self._tally.left_out
        return Result(
            code,
            self._tally.outcomes(),
            self._tally.unchanged(),
            {**left_out, **self._problems},
            self._warnings,
            self._tally.seconds(),
        )

    def _warn(self, left_out: dict[str, str]) -> None:
        """Name the variants that could not be built, as the last words of a run."""
        for problem in dict.fromkeys(left_out.values()):
            names = ", ".join(name for name, why in left_out.items() if why == problem)
            self.write(
                f"warning: not built: {names}. {problem}\n"
                "dist/lambdas.json marks them as stale or missing, and "
                "terraform plan refuses them.\n"
            )

    def _report_failures(self, task: Task) -> None:
        """Write the report, which waited for a task that failed."""
        from buildlib.plugin import actions

        task.init_options()
        why = actions.report_failures(self._layout.root, task.options["against"], self._problems)
        if why:
            self.write(f"{why}\n")
        else:
            self._end(meta.read(task))

    def _compare(self) -> None:
        """Count the variants that differ from those of the build to compare with."""
        if self._base is None:
            return
        counts = Counter(earlier.compare(self._base.zips, index.read(self._layout)).values())
        states = (earlier.CHANGED, earlier.NEW, earlier.REMOVED, earlier.SAME)
        shown = ", ".join(f"{counts[state]} {state}" for state in states if counts[state])
        self.write(f"against {self._base.name}: {shown or 'nothing to compare'}\n")

    def _summarise(self) -> None:
        """Write the summary of a job, if the CI service has a file for it."""
        if not (name := os.environ.get("GITHUB_STEP_SUMMARY")):
            return
        from buildlib.plugin import job_summary

        try:
            job_summary.append(Path(name), self.result(0), index.read(self._layout), self._base)
        except OSError as error:
            self.write(f"warning: the job summary was not written: {error}\n")

    def _end(self, step: meta.Meta | None) -> None:
        """Note the file that a task has to show, whether it was made now or before."""
        if step and step.shows:
            self._shows.append(step.shows)
            self._report = None
