"""How long each step took: for the report and for shards, never a part of a key.

A time is kept with the key that the step was done for, in a file of its own, so that processes
that work on other variants are not in each other's way.
"""

import contextlib
import time
from collections.abc import Iterator

from buildlib.files import records
from buildlib.layout import Layout

_SHAPE = records.fields(key=records.text, seconds=lambda value: type(value) in {int, float})


@contextlib.contextmanager
def timed(layout: Layout, step: str, name: str, key: str = "") -> Iterator[None]:
    """Note how long a step of a variant takes, or the lock of a function, if it succeeds."""
    start = time.monotonic()
    yield
    record = {"key": key, "seconds": round(time.monotonic() - start, 3)}
    with contextlib.suppress(OSError):  # a full disk is no reason for a finished step to fail
        records.write(layout.time(step, name), record)


def seconds(layout: Layout, step: str, name: str, key: str = "") -> float | None:
    """Return how long a step took for the inputs with a key; None if it was not done for them.

    A lockfile has no key: its time is that of the last resolution here.
    """
    noted = last(layout, step, name)
    return noted[1] if noted and noted[0] == key else None


def last(layout: Layout, step: str, name: str) -> tuple[str, float] | None:
    """Return the key of the last inputs for which a step was done, and how long it took."""
    record = records.read(layout.time(step, name), _SHAPE)
    return (record["key"], float(record["seconds"])) if record else None


def note(layout: Layout, step: str, name: str, time: tuple[str, float]) -> None:
    """Note how long a step took elsewhere, as `last` returns it."""
    with contextlib.suppress(OSError):
        records.write(layout.time(step, name), {"key": time[0], "seconds": time[1]})
