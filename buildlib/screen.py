"""A terminal on which running steps are shown live, and what was done is a table at the end.

Only one thread writes to the terminal, and nothing is redirected: doit's processes are forked
before it starts, and whoever else has something to print asks for a pause.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from buildlib.outcome import BUILT, FAILED, STORED, Outcome, change
from buildlib.size import amount

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

# Seconds before something is shown, and between two pictures.
_PATIENCE = 0.3
_INTERVAL = 0.12
_SPINNER = "-\\|/"

_STYLES = {BUILT: "green", STORED: "cyan", FAILED: "bold red"}


class Running(NamedTuple):
    """A running task: whose it is, its step, for how long (seconds), and what it is at."""

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
        """Show what runs from now on, if it takes a moment."""
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
            self._stream.write(text)
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
        """Print what was done with each variant."""
        from rich.table import Table  # noqa: PLC0415 - rich takes a tenth of a second
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("variant", overflow="fold")
        table.add_column("done")
        table.add_column("why", overflow="fold", ratio=1)
        for title in ("zipped", "unzipped", "time"):
            table.add_column(title, justify="right")
        table.add_column("sha256")
        for one in outcomes:
            now, before = one.written, one.previous
            sizes = ["", ""]
            if now:
                sizes = [
                    _size(now.size, before and before.size),
                    _size(now.unzipped_size, before and before.unzipped_size),
                ]
            table.add_row(
                Text(one.id),
                Text(one.done, style=_STYLES.get(one.done, "")),
                Text(one.why),
                *sizes,
                f"{one.seconds:.1f} s",
                now.sha256[:12] if now else "",
            )
        with self._lock:
            _console(self._stream).print(table)

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
            from rich.live import Live  # noqa: PLC0415

            self._live = Live(
                console=_console(self._stream),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(_picture(running, closing, self._live.console.height), refresh=True)

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _picture(running: Sequence[Running], closing: str, height: int) -> Any:  # noqa: ANN401 - rich's
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 1))
    for _ in range(4):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    sign = _SPINNER[int(time.monotonic() * 8) % len(_SPINNER)]
    room = max(height - 3, 1)
    for one in running[:room]:
        grid.add_row(
            Text(sign, style="cyan"),
            Text(one.name, style="bold"),
            one.step,
            f"{one.seconds:.0f} s",
            Text(one.at, style="dim"),
        )
    more = len(running) - room
    closing = f"and {more} more; {closing}" if more > 0 else closing
    return Group(grid, Text(closing, style="dim", no_wrap=True, overflow="ellipsis"))


def _size(now: int, before: int | None) -> str:
    changed = change(now, before)
    return f"{amount(now)} ({changed})" if changed else amount(now)


def _console(stream: TextIO) -> "Console":
    from rich.console import Console  # noqa: PLC0415

    return Console(file=stream, highlight=False, emoji=False, markup=False)
