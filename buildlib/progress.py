"""What a running step is at, for whoever looks: a line in a file of its task.

Whoever shows it names a folder in the environment, which threads and processes of every kind share;
while no one does, nothing is written. Warnings go there, too: a terminal that shows live lines has
one writer.
"""

import contextlib
import contextvars
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

# The folder in which whoever looks expects the files.
FOLDER = "LAMBDA_ZIP_ACTIVITY"


# Seconds between two lines of one that says a lot.
_OFTEN = 0.1


_NOTES = "notes"


_logger = logging.getLogger("buildlib")


class _Task:
    """The file of a task that is looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = 0.0

    def say(self, text: str, *, often: bool) -> None:
        now = time.monotonic()
        if often and now - self.last < _OFTEN:
            return
        self.last = now
        line = " ".join(re.sub(r"[^\x20-\U0010ffff]|\x7f", " ", text).split())
        with contextlib.suppress(OSError):  # a full disk is the step's to tell
            self.path.write_text(line[:200], encoding="utf-8", errors="replace")


_current: contextvars.ContextVar[_Task | None] = contextvars.ContextVar("activity", default=None)


@contextlib.contextmanager
def task(name: str) -> Iterator[None]:
    """Let what is said inside be that of the task `name`."""
    folder = os.environ.get(FOLDER)
    if not folder:
        yield
        return
    _attach()
    path = _file(Path(folder), name)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    token = _current.set(_Task(path))
    try:
        yield
    finally:
        _current.reset(token)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def update(text: str, *, often: bool = False) -> None:
    """Say what the step is at; with `often`, most of it may be left out."""
    if (task := _current.get()) is not None:
        task.say(text, often=often)


def is_watched() -> bool:
    """Tell whether anyone looks at the task that runs here."""
    return _current.get() is not None


def read(folder: Path, name: str) -> str:
    """Return what a task is at; empty if it said nothing."""
    try:
        return _file(folder, name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def notes(folder: Path, start: int) -> tuple[str, int]:
    """Return the warnings since `start`, and where they end, in bytes."""
    try:
        with (folder / _NOTES).open("rb") as stream:
            stream.seek(start)
            content = stream.read()
    except OSError:
        return "", start
    whole = content[: content.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace"), start + len(whole)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace(':', ' ')}.txt"  # ':' is not allowed on Windows


class _Notes(logging.Handler):
    """Writes warnings where they are looked for, from every process; else to stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        folder = os.environ.get(FOLDER)
        try:
            if not folder or not os.path.isdir(folder):
                raise FileNotFoundError
            with open(os.path.join(folder, _NOTES), "ab", buffering=0) as stream:
                stream.write(f"{self.format(record)}\n".encode())
        except OSError:
            logging.lastResort.handle(record) if logging.lastResort else None


def detach() -> None:
    """Leave the process's logging as it was before a task of it was watched."""
    for handler in [one for one in _logger.handlers if isinstance(one, _Notes)]:
        _logger.removeHandler(handler)


def _attach() -> None:
    # Logging belongs to a process, and a process that doit starts for tasks runs nothing else of
    # ours in which it could be set up.
    if not any(isinstance(handler, _Notes) for handler in _logger.handlers):
        _logger.addHandler(_Notes(logging.WARNING))
