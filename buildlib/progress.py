"""Live status of running tasks.

Each task writes one line to its file in `$LAMBDA_ZIP_ACTIVITY`, a folder that the reporter sets for
all threads and processes of a run; without the variable, nothing is written. Warnings go to the
same folder, because only one writer may print to a terminal with live lines.
"""

import contextlib
import contextvars
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from buildlib.text import harmless

# The variable with the folder of the status files.
FOLDER = "LAMBDA_ZIP_ACTIVITY"


# Minimal time between two frequent updates of one task, in seconds.
_INTERVAL = 0.1


_NOTES = "notes"


_logger = logging.getLogger("buildlib")


class _Task:
    """The status file of a task."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = 0.0

    def update(self, text: str, *, often: bool) -> None:
        now = time.monotonic()
        if often and now - self.last < _INTERVAL:
            return
        self.last = now
        line = " ".join(re.sub(r"[^\x20-\U0010ffff]|\x7f", " ", text).split())
        with contextlib.suppress(OSError):  # the step itself reports a full disk
            self.path.write_text(line[:200], encoding="utf-8", errors="replace")


_current: contextvars.ContextVar[_Task | None] = contextvars.ContextVar("activity", default=None)


@contextlib.contextmanager
def task(name: str) -> Iterator[None]:
    """Attribute the updates inside the context to the task `name`."""
    _attach()
    folder = os.environ.get(FOLDER)
    if not folder:
        yield
        return
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
    """Set the status of the current task; most of the frequent updates (`often`) are dropped."""
    if (task := _current.get()) is not None:
        task.update(text, often=often)


def is_watched() -> bool:
    """Tell whether the current task writes its status."""
    return _current.get() is not None


def read(folder: Path, name: str) -> str:
    """Return the status of a task; empty if it has not set one."""
    try:
        return _file(folder, name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def notes(folder: Path, start: int) -> tuple[str, int]:
    """Return the warnings from byte `start` on, and the byte after the last one."""
    try:
        with (folder / _NOTES).open("rb") as stream:
            stream.seek(start)
            content = stream.read()
    except OSError:
        return "", start
    lines = content[: content.rfind(b"\n") + 1]
    return lines.decode("utf-8", "replace"), start + len(lines)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace(':', ' ')}.txt"  # ':' is not allowed on Windows


class _Notes(logging.Handler):
    """Writes the warnings of every process to the status folder, or else to stderr.

    Another handler, of a program that runs doit, comes before stderr.
    """

    def emit(self, record: logging.LogRecord) -> None:
        folder = os.environ.get(FOLDER)
        record.msg, record.args = harmless(record.getMessage()), ()
        try:
            if not folder or not os.path.isdir(folder):
                raise FileNotFoundError
            with open(os.path.join(folder, _NOTES), "ab", buffering=0) as stream:
                stream.write(f"{record.msg}\n".encode())
        except OSError:
            if logging.lastResort and not logging.getLogger().handlers:
                logging.lastResort.handle(record)


def detach() -> None:
    """Leave the process's logging as it was before a task of it was watched."""
    for handler in [one for one in _logger.handlers if isinstance(one, _Notes)]:
        _logger.removeHandler(handler)


def _attach() -> None:
    # Logging belongs to a process, and a process that doit starts for tasks runs nothing else of
    # this package in which it could be set up.
    if not any(isinstance(handler, _Notes) for handler in _logger.handlers):
        _logger.addHandler(_Notes(logging.WARNING))
