"""How long each step took: for the report and for shards, never a part of a key.

All times are lines of one file, each with the key that the step was done for; the last line of a
step counts. Processes append lines, so they are not in each other's way, and a build of many
functions creates no file for each.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from buildlib.files import atomic, records
from buildlib.layout import Layout

_LINE = records.row(
    records.text, records.text, records.text, lambda value: type(value) in {int, float}
)

# The first line is the size of the file when it had one line for each step. A file with many more
# lines is compacted.
_HEAD = b"%012d\n"
_SLACK = 1 << 16


class Times(NamedTuple):
    """The key of the last inputs for which each step was done, and how many seconds it took.

    They are by step and name: of a variant, or of the function that was locked.
    """

    known: Mapping[tuple[str, str], tuple[str, float]]

    def last(self, step: str, name: str) -> tuple[str, float] | None:
        """Return the key and the seconds of the last time that a step was done."""
        return self.known.get((step, name))

    def seconds(self, step: str, name: str, key: str = "") -> float | None:
        """Return how long a step took for the inputs with a key; None if it was not done for them.

        A lockfile has no key: its time is that of the last resolution here.
        """
        noted = self.last(step, name)
        return noted[1] if noted and noted[0] == key else None


def read(layout: Layout) -> Times:
    """Return all times; without those of damaged lines."""
    known: dict[tuple[str, str], tuple[str, float]] = {}
    try:
        lines = layout.times.read_bytes().splitlines()
    except OSError:
        lines = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            row = json.loads(line)
            if _LINE(row):
                step, name, key, seconds = row
                known[step, name] = (key, float(seconds))
    return Times(known)


@contextlib.contextmanager
def timed(layout: Layout, step: str, name: str, key: str = "") -> Iterator[None]:
    """Note how long a step of a variant takes, or the lock of a function, if it succeeds."""
    start = time.monotonic()
    yield
    note(layout, step, name, (key, round(time.monotonic() - start, 3)))


def note(layout: Layout, step: str, name: str, time: tuple[str, float]) -> None:
    """Note the key and the seconds of a step, done here or elsewhere."""
    line = _line(step, name, time)
    with contextlib.suppress(OSError):  # a full disk is no reason for a finished step to fail
        if _append(layout.times, line):
            content = b"".join(_line(*who, time) for who, time in read(layout).known.items())
            atomic.write(layout.times, _HEAD % len(content) + content, ours=True)


def _line(step: str, name: str, time: tuple[str, float]) -> bytes:
    return json.dumps([step, name, *time], separators=(",", ":")).encode() + b"\n"


def _append(path: Path, line: bytes) -> bool:
    """Append a line, and tell whether the file has many lines that no longer count."""
    descriptor = _open(path)
    try:
        size = os.fstat(descriptor).st_size
        os.write(descriptor, line if size else _HEAD % 0 + line)
        if size < _SLACK:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        head = os.read(descriptor, len(_HEAD % 0)).strip()
        return size > _SLACK + 2 * (int(head) if head.isdigit() else 0)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags, 0o666)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, flags, 0o666)
