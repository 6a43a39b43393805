"""Where a run is shown: on a terminal, in the log of a CI service, or as plain lines.

doit imports every reporter at every command, so nothing here takes time to import; rich is behind
`screen`, and loaded once something runs on a terminal.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from doit.task import Task

from buildlib import console, progress
from buildlib.files import atomic
from buildlib.lock import lockfile
from buildlib.plugin.meta import Meta
from buildlib.plugin.screen import Running, Screen
from buildlib.plugin.tally import Remark, Tally
from buildlib.steps import summary
from buildlib.steps.summary import Outcome
from buildlib.text import harmless


class Plain:
    """Plain lines: doit's own of each task that runs, and one of each variant at the end.

    The other views override it. `step` is None for a task that is not ours.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self) -> None:
        """Prepare for the first task."""

    def start(self, task: Task, step: Meta | None) -> None:  # noqa: ARG002 - of the interface
        """Show that a task runs; neither groups nor private tasks do anything to be shown."""
        if task.actions and not _is_private(task):
            self.write(f".  {task.title()}\n")

    def end(self, task: Task, step: Meta | None, *, failed: bool) -> None:
        """Show that a task that ran has ended."""

    def skip(self, task: Task, step: Meta | None) -> None:
        """Show that a task had nothing to do; ours are counted, since there are thousands."""
        if step is None and not _is_private(task):
            self.write(f"-- {task.title()}\n")

    def write(self, text: str) -> None:
        """Write lines that stay."""
        console.write(self._stream, text)

    def annotate(self, title: str, message: str) -> None:
        """Point at the places that an error names."""

    def warn(self, remarks: Sequence[Remark]) -> None:
        """Point at the places that warnings name, after all errors."""

    def close(self) -> None:
        """Remove the live lines, if there are some."""

    def table(self, outcomes: Sequence[Outcome]) -> None:
        """Show the outcome of each variant."""
        self.write("".join(f"{summary.line(one)}\n" for one in outcomes))


class Folded(Plain):
    """The log of a CI service: the lines of a variant are written together, and folded."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: dict[str, list[str]] = {}  # of each variant that is not finished
        self._began: dict[str, float] = {}

    def start(self, task: Task, step: Meta | None) -> None:
        """Keep the line of a variant's task until nothing will follow."""
        if step is None or step.step == "lock":
            super().start(task, step)
            return
        for variant in step.variants:
            self._began.setdefault(variant, time.time())
            self._lines.setdefault(variant, []).append(f".  {task.title()}")

    def end(self, task: Task, step: Meta | None, *, failed: bool) -> None:  # noqa: ARG002
        """Write the lines of a variant, once nothing will follow."""
        if step and step.step != "lock" and (failed or step.step == "hash"):
            self._close(step.variants)

    def skip(self, task: Task, step: Meta | None) -> None:  # noqa: ARG002 - of the interface
        """Write the lines of a variant of which the last step had nothing to do."""
        if step and step.step == "hash":
            self._close(step.variants)

    def fold(self, title: str, lines: Iterable[str], began: float) -> Iterator[str]:  # noqa: ARG002
        """Yield lines as the service folds them; `began` is the time of the first one."""
        yield from lines

    def _close(self, variants: Sequence[str]) -> None:
        for variant in variants:
            if lines := self._lines.pop(variant, None):
                began = self._began.pop(variant)
                console.command(self._stream, self.fold(variant, map(harmless, lines), began))


class Groups(Folded):
    """The log of GitHub Actions: errors and warnings are annotated besides."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        from buildlib.plugin import github

        self._annotator = github.Annotator()

    def fold(self, title: str, lines: Iterable[str], began: float) -> Iterator[str]:  # noqa: ARG002
        """Yield a group."""
        from buildlib.plugin import github

        return github.group(title, lines)

    def annotate(self, title: str, message: str) -> None:
        """Write a workflow command for each place."""
        from buildlib.plugin import github

        annotations = github.errors(title, harmless(message))
        console.command(self._stream, self._annotator.add(annotations))

    def warn(self, remarks: Sequence[Remark]) -> None:
        """Write a workflow command for each warning."""
        from buildlib.plugin import github

        annotations = (
            github.warning(harmless(remark.text), [*map(harmless, remark.places)])
            for remark in remarks
        )
        console.command(self._stream, self._annotator.add(annotations))
        console.command(self._stream, self._annotator.end())


class Sections(Folded):
    """The log of GitLab CI."""

    def fold(self, title: str, lines: Iterable[str], began: float) -> Iterator[str]:
        """Yield a section."""
        from buildlib.plugin import gitlab

        return gitlab.section(title, lines, began, time.time())


class Live(Plain):
    """A terminal: running steps are shown live, and a table at the end."""

    def __init__(self, stream: TextIO, tally: Tally, folder: Path) -> None:
        super().__init__(stream)
        self._tally = tally
        self._folder = folder  # in which running steps note their present work
        self._read = 0  # bytes of the warnings that were shown
        self._screen = Screen(stream, self._look, self._notes)

    def begin(self) -> None:
        """Tell the steps, in processes that doit starts later, too, that someone looks."""
        os.environ[progress.FOLDER] = str(self._folder)

    def start(self, task: Task, step: Meta | None) -> None:
        """Show a step live; a task that is not ours has the terminal for itself."""
        if step or _is_private(task):
            self._screen.start()
        elif task.actions:
            self._screen.pause()
            super().start(task, step)

    def end(self, task: Task, step: Meta | None, *, failed: bool) -> None:  # noqa: ARG002
        """Take the terminal back."""
        if step is None and task.actions and not _is_private(task):
            self._screen.resume()

    def skip(self, task: Task, step: Meta | None) -> None:
        """Show nothing: it is counted, if it is ours."""

    def write(self, text: str) -> None:
        """Write lines that stay above the live ones."""
        self._screen.write(text)

    def close(self) -> None:
        """Remove the live lines, and the files behind them."""
        os.environ.pop(progress.FOLDER, None)
        self._screen.close()
        progress.detach()
        with contextlib.suppress(OSError):
            atomic.remove(self._folder)
            self._folder.parent.rmdir()

    def table(self, outcomes: Sequence[Outcome]) -> None:
        """Show a table."""
        self._screen.table(outcomes)

    def _look(self) -> tuple[list[Running], str]:
        running, closing = self._tally.look()
        rows = [
            Running(
                one.task.name.partition(":")[2] or one.task.name,
                one.meta.step,
                one.seconds,
                progress.read(self._folder, one.task.name),
            )
            for one in running
        ]
        return rows, closing

    def _notes(self) -> str:
        text, self._read = progress.notes(self._folder, self._read)
        return text


def choose(stream: TextIO, tally: Tally, folder: Path) -> Plain:
    """Return the view for a stream; running steps note their present work in `folder`."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return Groups(stream)
    if os.environ.get("GITLAB_CI"):
        return Sections(stream)
    return Live(stream, tally, folder) if is_live(stream) else Plain(stream)


def is_live(stream: TextIO) -> bool:
    """Tell whether live lines can be shown: on a terminal with a cursor, and not in CI."""
    terminal = hasattr(stream, "isatty") and stream.isatty()
    dumb = os.environ.get("TERM", "") in {"dumb", "unknown"}
    return terminal and not dumb and not lockfile.is_frozen(False, os.environ)  # noqa: FBT003


def _is_private(task: Task) -> bool:
    return bool(task.name.startswith("_"))
