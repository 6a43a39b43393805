"""A terminal: running steps are live lines, and a table at the end sums up the run.

Only one thread writes to the terminal, and nothing is redirected: doit's processes are forked
before it starts, and any other writer asks for a pause.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from buildlib import console
from buildlib.steps.summary import BUILT, FAILED, FARMED, FETCHED, STORED, Outcome, change
from buildlib.text import amount

if TYPE_CHECKING:
    from rich.console import Console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

# Seconds before something is shown, and between two pictures.
_PATIENCE = 0.3


_INTERVAL = 0.12


_REASON = 16  # columns for a reason, at least


_NAME = 40  # columns for a name, before it is folded or cut


_SPINNER = "-\\|/"


_STYLES = {
    BUILT: "green",
    FARMED: "green",
    STORED: "cyan",
    FETCHED: "cyan",
    FAILED: "bold red",
}


class Running(NamedTuple):
    """A running task: its variant or name, its step, its seconds so far, and its present work."""

    name: str
    step: str
    seconds: float
    at: str


class Screen:
    """The live lines: `look()` gives the running tasks and a closing line, `notes()` warnings."""

    def __init__(
        self,
        stream: TextIO,
        look: Callable[[], tuple[Sequence[Running], str]],
        notes: Callable[[], str],
    ) -> None:
        self._stream = stream
        self._look = look
        self._notes = notes
        self._lock = threading.RLock()
        self._pauses = 0
        self._live: Live | None = None
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Show the steps that run from now on, if they take a moment."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Leave the terminal to others."""
        with self._lock:
            self._pauses += 1
            self._hide()

    def resume(self) -> None:
        """Take the terminal back."""
        with self._lock:
            self._pauses -= 1

    def write(self, text: str) -> None:
        """Print lines that stay."""
        with self._lock:
            self._hide()
            console.write(self._stream, text)
            self._stream.flush()

    def close(self) -> None:
        """End the live lines."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._hide()
        if noted := self._notes():
            self.write(noted)

    def table(self, outcomes: Sequence[Outcome]) -> None:
        """Print the outcome of each variant."""
        from rich.table import Table  # rich takes a tenth of a second
        from rich.text import Text

        console = _console(self._stream)
        titles = ["variant", "done", "zipped", "unzipped", "time", "sha256"]
        rows = [_cells(one) for one in outcomes]
        widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
        widths[0] = min(widths[0], _NAME)
        # The columns that a narrow terminal has no room for are in dist/, too; the reason is not.
        kept = [0, 1, 2, 3, 4, 5]
        for less in (5, 3):
            if sum(widths[index] + 2 for index in kept) + _REASON > console.width:
                kept.remove(less)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for index in kept:
            # Reasons are folded rather than names, which one wants to copy.
            figures = titles[index] in {"zipped", "unzipped", "time"}
            table.add_column(
                titles[index],
                justify="right" if figures else "left",
                overflow="fold",
                no_wrap=index > 0 or max(len(one.id) for one in outcomes) <= _NAME,
            )
            if titles[index] == "done":
                table.add_column("why", overflow="fold", ratio=1)
        for one, row in zip(outcomes, rows, strict=True):
            cells = [Text(row[index]) for index in kept]
            cells[1].stylize(_STYLES.get(one.done, ""))
            table.add_row(*cells[:2], Text(one.why), *cells[2:])
        with self._lock:
            console.print(table)

    def _run(self) -> None:
        self._done.wait(_PATIENCE)
        while not self._done.is_set():
            with self._lock:
                if self._pauses == 0:
                    if noted := self._notes():
                        self.write(noted)
                    self._show()
            self._done.wait(_INTERVAL)

    def _show(self) -> None:
        running, closing = self._look()
        if not running:
            self._hide()
            return
        if self._live is None:
            from rich.live import Live

            self._live = Live(
                console=_console(self._stream),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        size = self._live.console.size
        picture = _picture(running, closing, size.height, size.width)
        self._live.update(picture, refresh=True)

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _picture(running: Sequence[Running], closing: str, height: int, width: int) -> Any:  # noqa: ANN401 - rich's
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    for _ in range(5):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    sign = _SPINNER[int(time.monotonic() * 8) % len(_SPINNER)]
    room = max(height - 3, 1)
    shown = running[:room]
    # The present work of a step may be long; it gives way to the columns before it.
    before = [(one.name, one.step, f"{one.seconds:.0f} s") for one in shown]
    left = width - len(sign) - sum(max(map(len, column)) for column in zip(*before, strict=True))
    for one, (name, step, seconds) in zip(shown, before, strict=True):
        at = Text(one.at, style="dim")
        at.truncate(max(left - 4, 0), overflow="ellipsis")
        grid.add_row(Text(sign, style="cyan"), Text(name, style="bold"), step, seconds, at)
    more = len(running) - room
    closing = f"and {more} more; {closing}" if more > 0 else closing
    return Group(grid, Text(closing, style="dim", no_wrap=True, overflow="ellipsis"))


def _cells(one: Outcome) -> list[str]:
    """Return the cells of a variant, without the reason."""
    now, before = one.written, one.previous
    sizes = ["", ""]
    if now:
        sizes = [
            _size(now.size, before and before.size),
            _size(now.unzipped_size, before and before.unzipped_size),
        ]
    return [one.id, one.done, *sizes, f"{one.seconds:.1f} s", now.sha256[:12] if now else ""]


def _size(now: int, before: int | None) -> str:
    changed = change(now, before)
    return f"{amount(now)} ({changed})" if changed else amount(now)


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    return Console(file=stream, highlight=False, emoji=False, markup=False)
