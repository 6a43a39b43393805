"""How long each step took, for whoever wants to know: never a part of a key.

A time is kept with the key that the step was done for, in a file of its own, so that processes that
work on other variants are not in each other's way.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from buildlib.files import atomic
from buildlib.model import Function, Variant
from buildlib.project.project import Project


@contextlib.contextmanager
def timed(project: Project, step: str, variant: Variant) -> Iterator[None]:
    """Note how long a step of a variant takes, if it ends well."""
    start = time.monotonic()
    yield
    _note(project.layout.time(step, variant.id), project.key(variant), start)


@contextlib.contextmanager
def of_lock(project: Project, function: Function) -> Iterator[None]:
    """Note how long it takes to make the lock of a function."""
    start = time.monotonic()
    yield
    _note(project.layout.time("lock", function.name), "", start)


def _note(path: Path, key: str, start: float) -> None:
    with contextlib.suppress(OSError):  # it is no reason for a step to fail
        atomic.write_json(path, {"key": key, "seconds": round(time.monotonic() - start, 3)})


def seconds(project: Project, step: str, name: str, key: str = "") -> float | None:
    """Return how long a step took, if it was done for the inputs with this key; None if not.

    A lock has no key: its time is that of when it was last made here.
    """
    record = atomic.read_json(project.layout.time(step, name))
    if not isinstance(record, dict) or record.get("key") != key:
        return None
    return float(record["seconds"])
