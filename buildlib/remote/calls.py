"""Calls of the remote, made in threads that nobody has to wait for.

A call may hang for ever: the thread that asked for it stops waiting when the budget is spent, and
the process ends without it.
"""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from buildlib.remote.budget import Budget

T = TypeVar("T")

# Most threads at once. 32 requests of 30 ms look up 1,000 keys in a second.
_WIDTH = 32


class Off(Exception):  # noqa: N818 - an end, as KeyboardInterrupt is one
    """The remote is not used any more in this run."""


class Call(Generic[T]):
    """A call that runs, or waits for a thread."""

    def __init__(self, job: Callable[[], T]) -> None:
        self._job = job
        self._done = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call, and keep its result or its error."""
        try:
            self._result.append(self._job())
        except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
            self._error = error
        self._done.set()

    def is_done(self) -> bool:
        """Tell whether the call has ended."""
        return self._done.is_set()

    def wait(self, budget: Budget) -> T:
        """Return the result, or raise the error.

        Raises:
            Off: the budget is spent.

        """
        if not self._done.is_set():
            with budget.waiting():
                while not self._done.wait(max(0.0, min(budget.left(), 0.5))):
                    if budget.left() <= 0:
                        raise Off
        if self._error is not None:
            raise self._error
        return self._result[0]


class Pool:
    """Threads that make calls, in the order in which they were given."""

    def __init__(self, width: int = _WIDTH) -> None:
        self._width = width
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Call[object]] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0

    def submit(self, job: Callable[[], T]) -> Call[T]:
        """Return a call that is made as soon as a thread is free."""
        call = Call(job)
        with self._lock:
            self._queue.put(call)  # type: ignore[arg-type] # a call of any result
            if self._idle:
                self._idle -= 1
            elif self._threads < self._width:
                self._threads += 1
                threading.Thread(target=self._work, daemon=True, name="remote cache").start()
        return call

    def _work(self) -> None:
        while True:
            self._queue.get().run()
            with self._lock:
                self._idle += 1
