"""The counts of a run, for each variant."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from doit.task import Task

from buildlib.plugin import meta
from buildlib.plugin.meta import Meta
from buildlib.steps import summary
from buildlib.steps.pending import STEPS
from buildlib.steps.summary import FAILED, INTERRUPTED, LEFT_OUT, Done, Outcome

_STEPS = tuple(step.name for step in STEPS)


@dataclass
class _Run:
    """The progress of a run with one variant."""

    ran: set[str] = field(default_factory=set)
    seconds: float = 0.0
    failed: str = ""  # at this step
    at: str = ""  # where it was interrupted
    did: list[Done] = field(default_factory=list)
    left_out: str = ""  # the reason why it cannot be built here


class Running(NamedTuple):
    """One of our tasks that runs, and for how many seconds."""

    task: Task
    meta: Meta
    seconds: float


class Remark(NamedTuple):
    """A warning, and the variants or places that share it."""

    text: str
    places: Sequence[str]


class Tally:
    """The counts of a run so far. One thread counts; another may look at the same time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._runs: dict[str, _Run] = {}
        self._seen: set[str] = set()  # variants of which a step had nothing to do
        self._finished: set[str] = set()  # variants of which the last step had nothing to do
        self._running: dict[str, tuple[Task, float]] = {}
        self._notes: dict[str, list[str]] = {}  # the variants or places of each

    def start(self, task: Task) -> None:
        """Note that a task runs."""
        with self._lock:
            self._running[task.name] = (task, time.monotonic())

    def end(self, task: Task) -> float | None:
        """Note that a task ended; return for how many seconds it ran, None if it did not."""
        with self._lock:
            known = self._running.pop(task.name, None)
        return None if known is None else time.monotonic() - known[1]

    def succeed(self, step: Meta, seconds: float, done: Done) -> None:
        """Note that a step of variants succeeded, and its result."""
        with self._lock:
            for run in self._runs_of(step.variants):
                run.ran.add(step.step)
                run.did.append(done)
                run.seconds += seconds
            for note in done.notes:
                self._notes.setdefault(note, []).extend(step.variants)
            for text, place in done.doubts:
                self._notes.setdefault(text, []).append(place)

    def withdraw(self, note: str) -> None:
        """Forget a warning whose cause is gone before the run ends."""
        with self._lock:
            self._notes.pop(note, None)

    def fail(self, step: Meta, seconds: float) -> None:
        """Note that a step of variants failed, or could not run for one that did."""
        with self._lock:
            for run in self._runs_of(step.variants):
                run.seconds += seconds
                run.failed = run.failed or step.step

    def leave_out(self, problems: Mapping[str, str]) -> None:
        """Note variants that cannot be built here."""
        with self._lock:
            for name, problem in problems.items():
                self._runs_of([name])[0].left_out = problem

    @property
    def left_out(self) -> dict[str, str]:
        """The problems of variants that cannot be built here."""
        return {name: run.left_out for name, run in self._runs.items() if run.left_out}

    def skip(self, step: Meta) -> None:
        """Note that a step of variants had nothing to do."""
        self._seen.update(step.variants)
        if step.step == "hash":
            self._finished.update(step.variants)

    def interrupt(self) -> None:
        """Note which steps were under way, and forget variants not looked at to the end."""
        self._seen &= self._finished
        for run in self._runs.values():
            run.at = next((f"after {s}" for s in reversed(_STEPS) if s in run.ran), "")
        for task, _ in self._running.values():
            if step := meta.read(task):
                for run in self._runs_of(step.variants):
                    run.at = f"at {step.step}"

    def outcomes(self) -> list[Outcome]:
        """Return the outcome of each variant that had something to do.

        They are sorted by name, so that two runs are alike: which one is finished first is chance.
        """
        return [self._outcome(name, run) for name, run in sorted(self._runs.items())]

    def totals(self, outcomes: Sequence[Outcome]) -> str:
        """Return the closing line of a run; empty if no variant had a part in it."""
        if not self._runs and not self._seen:
            return ""
        counts = Counter(one.done for one in outcomes)
        totals = {done: counts[done] for done in summary.BY_ORIGIN.values()}
        totals["unchanged"] = len(self._seen - self._runs.keys()) + counts[summary.DESCRIBED]
        totals |= {done: counts[done] for done in (FAILED, INTERRUPTED, LEFT_OUT)}
        return summary.totals(totals, time.monotonic() - self._began if outcomes else None)

    def unchanged(self) -> list[str]:
        """Return the ids of the variants that had nothing to do, sorted."""
        return sorted(self._seen - self._runs.keys())

    def seconds(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self._began

    def remarks(self) -> list[Remark]:
        """Return each warning once, with the variants or places that share it."""
        return [Remark(text, sorted(set(self._notes[text]))) for text in sorted(self._notes)]

    def look(self) -> tuple[list[Running], str]:
        """Return our running tasks, the oldest first, and the counts so far as a line."""
        now = time.monotonic()
        with self._lock:
            running = [
                Running(task, step, now - began)
                for task, began in self._running.values()
                if (step := meta.read(task))
            ]
            at_work = {name for one in running for name in one.meta.variants}
            failed = {name for name, run in self._runs.items() if run.failed}
            done = {name for name, run in self._runs.items() if run.ran & {"zip", "hash"}}
            at_work |= self._runs.keys() - done
            unchanged = self._seen - self._runs.keys() - at_work
        counts = {
            "running": len(at_work - failed),
            "done": len(done - failed),
            "unchanged": len(unchanged),
            FAILED: len(failed),
        }
        return running, f"{summary.totals(counts, None)}, {now - self._began:.1f} s"

    def _runs_of(self, variants: Iterable[str]) -> list[_Run]:
        return [self._runs.setdefault(variant, _Run()) for variant in variants]

    def _outcome(self, variant: str, run: _Run) -> Outcome:
        if run.failed:
            return Outcome(variant, FAILED, f"at {run.failed}", None, None, run.seconds)
        if run.left_out:
            return Outcome(variant, LEFT_OUT, "", None, None, run.seconds)
        if run.at and not run.ran & {"zip", "hash"}:
            return Outcome(variant, INTERRUPTED, run.at, None, None, run.seconds)
        if done := summary.last(run.did):
            return summary.outcome(variant, done, run.seconds)
        did = f"{', '.join(step for step in _STEPS if step in run.ran)} only"
        return Outcome(variant, did, "", None, None, run.seconds)
