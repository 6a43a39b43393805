"""The reporter `lambdas` of doit: live lines on a terminal, plain ones elsewhere, and a summary.

doit imports every reporter at every command, so this one imports nothing that takes time; rich is
behind `screen`, and loaded once something runs on a terminal.
"""

import contextlib
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from doit.exceptions import BaseFail, TaskFailed, UnmetDependency
from doit.reporter import ConsoleReporter
from doit.task import Task

from buildlib import progress
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.lock import lockfile
from buildlib.plugin import github
from buildlib.plugin.screen import Running, Screen
from buildlib.plugin.uptodate import META
from buildlib.steps import summary
from buildlib.steps.pending import STEPS
from buildlib.steps.summary import FAILED, INTERRUPTED, Done, Outcome

_STEPS = tuple(step.name for step in STEPS)

INTERRUPT = 130  # as a shell says it of SIGINT


FAILURE = 1  # of a task; 2 is doit's for what should not happen


@dataclass
class _Run:
    """What a run did with one variant so far."""

    ran: set[str] = field(default_factory=set)
    seconds: float = 0.0
    failed: str = ""  # at this step
    at: str = ""  # where it was interrupted
    lines: list[str] = field(default_factory=list)
    did: list[Done] = field(default_factory=list)


class Reporter(ConsoleReporter):  # type: ignore[misc] # doit has no type hints
    """The reporter `lambdas` of doit; its lines about tasks that run are doit's own."""

    desc = "live on a terminal, plain elsewhere; what was built, and why, at the end"

    def __init__(self, outstream: TextIO, options: dict[str, Any]) -> None:
        super().__init__(outstream, options)
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._runs: dict[str, _Run] = {}
        self._seen: set[str] = set()  # variants of which a step had nothing to do
        self._finished: set[str] = set()  # those of which the last step had nothing to do
        self._running: dict[str, tuple[Task, float]] = {}
        self._shows: list[str] = []
        self._noted = 0
        self._layout = Layout(Path.cwd())
        self._folder = self._layout.build / "activity" / str(os.getpid())
        self._screen: Screen | None = None
        self._kinds: set[type[BaseFail]] = set()
        self._github = os.environ.get("GITHUB_ACTIONS") == "true"
        if is_live(outstream) and not self._github:
            self._screen = Screen(outstream, self._look, self._notes)

    # -- doit's interface ------------------------------------------------------------------------

    def initialize(self, tasks: dict[str, Task], selected_tasks: list[str]) -> None:
        """Prepare for the run; processes that doit starts later look into the environment."""
        super().initialize(tasks, selected_tasks)
        if self._screen:
            os.environ[progress.FOLDER] = str(self._folder)

    def execute_task(self, task: Task) -> None:
        """Say that a task runs."""
        with self._lock:
            self._running[task.name] = (task, time.monotonic())
            meta = _meta(task)
            if self._github and meta and meta["step"] != "lock":
                for variant in meta["variants"]:
                    self._run(variant).lines.append(f".  {task.title()}")
            elif self._screen is None:
                super().execute_task(task)
            elif meta or task.name.startswith("_"):
                self._screen.start()
            elif task.actions:
                self._screen.pause()
                super().execute_task(task)

    def add_success(self, task: Task) -> None:
        """Take note of a task that went well."""
        with self._lock:
            seconds = self._ended(task)
            self._note_file(task)
            for variant in self._variants(task):
                run = self._run(variant)
                run.ran.add(task.meta[META]["step"])
                run.seconds += seconds
                run.did.append(task.meta[META]["done"] or Done())
            self._close_group(task)

    def skip_uptodate(self, task: Task) -> None:
        """Take note of a task that had nothing to do."""
        meta = task.meta and task.meta.get(META)
        if meta and meta["step"] != "lock":
            self._seen.update(meta["variants"])
            if meta["step"] == "hash":
                self._finished.update(meta["variants"])
        self._note_file(task)
        if self._github:
            self._close_group(task)
        elif self._screen is None and not meta:  # of ours there are thousands: they are counted
            super().skip_uptodate(task)

    def skip_ignore(self, task: Task) -> None:
        """Say that the user told doit to ignore a task."""
        self._write(f"!! {task.title()}\n")

    def add_failure(self, task: Task, fail: BaseFail) -> None:
        """Say once why a task failed; what only depends on it is counted."""
        with self._lock:
            self._kinds.add(type(fail))
            seconds = self._ended(task)
            meta = _meta(task)
            if meta is None:
                if self._screen:
                    self._screen.pause()
                self._say_failure(task, fail)
                if self._screen:
                    self._screen.resume()
                return
            for variant in meta["variants"]:
                run = self._run(variant)
                run.seconds += seconds
                run.failed = run.failed or meta["step"]
            self._close_group(task)
            if not isinstance(fail, UnmetDependency):
                self._say_why(task, fail)

    def runtime_error(self, msg: str) -> None:
        """Say that doit cannot go on."""
        self._write(f"{msg}\n")

    def complete_run(self) -> None:
        """Say what was done, and how it ended."""
        interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
        os.environ.pop(progress.FOLDER, None)
        if self._screen:
            self._screen.close()
            with contextlib.suppress(OSError):
                atomic.remove(self._folder)
                self._folder.parent.rmdir()
        super().complete_run()  # the output of tasks that are not ours
        if interrupted:
            self._note_interrupted()
        self._summary()
        self.write("".join(f"{path}\n" for path in self._shows))
        if interrupted:
            self.write("interrupted; what was finished is kept, run doit again to go on\n")
            raise SystemExit(INTERRUPT)
        # To doit, a task that waited for one that failed is an error of its own, and ends with 2.
        if TaskFailed in self._kinds and self._kinds <= {TaskFailed, UnmetDependency}:
            raise SystemExit(FAILURE)

    # -- what happened ---------------------------------------------------------------------------

    def _run(self, variant: str) -> _Run:
        return self._runs.setdefault(variant, _Run())

    def _note_file(self, task: Task) -> None:
        """Take note of what a task that is done, now or before, has to show."""
        meta = _meta(task)
        if meta and meta["shows"]:
            self._shows.append(meta["shows"])

    def _variants(self, task: Task) -> list[str]:
        meta = _meta(task)
        return meta["variants"] if meta and meta["step"] != "lock" else []

    def _ended(self, task: Task) -> float:
        """Take note that a task ended, and return for how long it ran, in seconds."""
        known = self._running.pop(task.name, None)
        if known is None:
            return 0.0
        if self._screen and _meta(task) is None and task.actions and task.name[0] != "_":
            self._screen.resume()
        return time.monotonic() - known[1]

    def _say_failure(self, task: Task, fail: BaseFail) -> None:
        """Say why a task failed that has no part in the summary."""
        if not fail.report:
            return
        self.failures.append({"task": task, "exception": fail})  # doit shows its output at the end
        message = fail.get_msg().rstrip()
        if not isinstance(fail, UnmetDependency):
            self.write(f"{task.name} failed\n{message}\n")
            self._annotate(task, message)
        elif task.actions:  # of a group, each failure was said
            self.write(f"{task.name} did not run, as it needs {message}\n")

    def _say_why(self, task: Task, fail: BaseFail) -> None:
        what = "failed" if isinstance(fail, TaskFailed) else "failed unexpectedly: please report it"
        message = fail.get_msg().rstrip()
        self._write(f"{task.name} {what}\n{message}\n")
        self._annotate(task, message)

    def _annotate(self, task: Task, message: str) -> None:
        if self._github:
            for command in github.annotations(task.name, message):
                self.write(f"{command}\n")

    def _note_interrupted(self) -> None:
        """Take note of what was under way, and forget what was only not looked at to the end."""
        self._seen &= self._finished
        for run in self._runs.values():
            run.at = next((f"after {s}" for s in reversed(_STEPS) if s in run.ran), "")
        for task, _ in self._running.values():
            if meta := _meta(task):
                for variant in meta["variants"]:
                    self._run(variant).at = f"at {meta['step']}"

    def _summary(self) -> None:
        if not self._runs and not self._seen:
            return
        # By name, so that two runs are alike: which of several is finished first is chance.
        shown = [self._outcome(name, run) for name, run in sorted(self._runs.items())]
        counts = Counter(one.done for one in shown)
        unchanged = len(self._seen - self._runs.keys()) + counts[summary.DESCRIBED]
        if shown and self._screen:
            self._screen.table(shown)
        elif shown:
            for one in shown:
                self.write(f"{summary.line(one)}\n")
        totals = {what: counts[what] for what in (summary.BUILT, summary.STORED)}
        totals |= {"unchanged": unchanged}
        totals |= {what: counts[what] for what in (FAILED, INTERRUPTED)}
        seconds = time.monotonic() - self._began if shown else None
        self.write(f"{summary.totals(totals, seconds)}\n")

    def _outcome(self, variant: str, run: _Run) -> Outcome:
        if run.failed:
            return Outcome(variant, FAILED, f"at {run.failed}", None, None, run.seconds)
        if run.at and not run.ran & {"zip", "hash"}:
            return Outcome(variant, INTERRUPTED, run.at, None, None, run.seconds)
        if done := summary.last(run.did):
            return summary.outcome(variant, done, run.seconds)
        did = f"{', '.join(step for step in _STEPS if step in run.ran)} only"
        return Outcome(variant, did, "", None, None, run.seconds)

    # -- where it is shown -----------------------------------------------------------------------

    def _write(self, text: str) -> None:
        if self._screen:
            self._screen.write(text)
        else:
            self.write(text)

    def _look(self) -> tuple[list[Running], str]:
        """Return what runs, the oldest first, and the counts so far."""
        with self._lock:
            running = [(task, start) for task, start in self._running.values() if _meta(task)]
            at_work = {name for task, _ in running for name in task.meta[META]["variants"]}
            failed = {name for name, run in self._runs.items() if run.failed}
            done = {name for name, run in self._runs.items() if run.ran & {"zip", "hash"}}
            at_work |= self._runs.keys() - done
            unchanged = self._seen - self._runs.keys() - at_work
        now = time.monotonic()
        rows = [
            Running(
                task.name.partition(":")[2] or task.name,
                task.meta[META]["step"],
                now - start,
                progress.read(self._folder, task.name),
            )
            for task, start in running
        ]
        states = {
            "in work": at_work - failed,
            "done": done - failed,
            "unchanged": unchanged,
            FAILED: failed,
        }
        counts = {state: len(names) for state, names in states.items()}
        return rows, f"{summary.totals(counts, None)}; {now - self._began:.1f} s"

    def _notes(self) -> str:
        text, self._noted = progress.notes(self._folder, self._noted)
        return text

    def _close_group(self, task: Task) -> None:
        """Write a variant's lines as a group of GitHub Actions, once nothing will follow."""
        meta = _meta(task)
        if not self._github or not meta or meta["step"] == "lock":
            return
        for variant in meta["variants"]:
            run = self._runs.get(variant)  # none, if it had nothing to do so far
            if run and run.lines and (meta["step"] == "hash" or run.failed):
                for text in github.group(variant, run.lines):
                    self.write(f"{text}\n")
                run.lines.clear()


def is_live(stream: TextIO) -> bool:
    """Tell whether live lines can be shown: on a terminal with a cursor, and not in CI."""
    terminal = hasattr(stream, "isatty") and stream.isatty()
    dumb = os.environ.get("TERM", "") in {"dumb", "unknown"}
    return terminal and not dumb and not lockfile.is_frozen(False, os.environ)  # noqa: FBT003


def _meta(task: Task) -> dict[str, Any] | None:
    """Return what a task of ours says of itself; None if it is another's."""
    return task.meta.get(META) if task.meta else None
