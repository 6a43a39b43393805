"""Transfers to a bucket, several at once: all of them end, and all failures are told at once."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from buildlib.errors import BuildError, PublishError
from buildlib.remote.budget import Budget
from buildlib.remote.calls import Pool

T = TypeVar("T")

_WIDTH = 16

# The kinds of errors that explain more than "publish" does.
_KINDS = {"published-object", "signing"}

# Seconds between two words about the progress.
_PACE = 2.0

Say = Callable[[str], None]


def together(jobs: Mapping[str, Callable[[], T]], what: str, say: Say) -> dict[str, T]:
    """Return the result of each job; they run at the same time, in threads.

    An interrupted process does not wait for them.

    Raises:
        PublishError: some failed; the message has each.

    """
    pool, unlimited = Pool(_WIDTH), Budget(float("inf"))
    done = threading.Semaphore(0)
    calls = {name: pool.submit(_noted(job, done)) for name, job in jobs.items()}
    _follow(done, len(calls), what, say)
    found, errors = {}, list[BuildError | OSError]()
    for name, call in calls.items():
        try:
            found[name] = call.wait(unlimited)
        except (BuildError, OSError) as error:
            errors.append(error)
    if errors:
        kinds = {error.kind if isinstance(error, BuildError) else "" for error in errors}
        lines = list(dict.fromkeys(str(error) for error in errors))
        rest = f"{len(found)} of {len(jobs)} succeeded; the list is unchanged"
        msg = "\n".join([*lines, rest])
        kind = kinds.pop() if len(kinds) == 1 else "publish"
        raise PublishError(msg, kind if kind in _KINDS else "publish")
    return found


def _noted(job: Callable[[], T], done: threading.Semaphore) -> Callable[[], T]:
    def run() -> T:
        try:
            return job()
        finally:
            done.release()

    return run


def _follow(done: threading.Semaphore, count: int, what: str, say: Say) -> None:
    """Wait for all jobs, and say now and then how many have ended."""
    said = time.monotonic()
    for number in range(count):
        while not done.acquire(timeout=_PACE):
            pass
        if time.monotonic() - said > _PACE and number + 1 < count:
            said = time.monotonic()
            say(f"{what}: {number + 1} of {count} done")
