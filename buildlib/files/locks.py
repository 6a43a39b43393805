"""Locks between processes and threads, which the operating system releases after a crash."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` against other processes and threads; wait until it is free."""
    if not os.path.isdir(folder := os.path.dirname(path)):
        os.makedirs(folder, exist_ok=True)
    with _held(path, wait=True):
        yield


@contextlib.contextmanager
def claimed(path: Path, *, wait: bool) -> Iterator[bool]:
    """Acquire the lock `path`, whose folder exists; yield whether it was acquired.

    With `wait`, wait until it is free.
    """
    with _held(path, wait=wait) as held:
        yield held


def is_locked(path: Path) -> bool:
    """Tell whether another process or thread holds the lock `path`."""
    if not path.exists():
        return False
    with _held(path, wait=False) as held:
        return not held


@contextlib.contextmanager
def cores(folder: Path) -> Iterator[int]:
    """Claim the processors that no other process or thread has claimed; yield their number.

    The number is at least 1. With this, the processes of `doit -n` share the processors instead of
    starting a thread for each processor, and a single process uses all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        locks = [folder / f"core-{core}.lock" for core in range(os.cpu_count() or 1)]
        yield sum(stack.enter_context(_held(lock, wait=False)) for lock in locks) or 1


@contextlib.contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[bool]:
    """Acquire a lock; yield whether it was acquired (always true when waiting)."""
    if sys.platform == "win32":
        from filelock import FileLock, Timeout

        lock = FileLock(path, -1 if wait else 0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            yield False
        else:
            try:
                yield True
            finally:
                lock.release()
    else:  # as filelock does; importing it takes longer than most steps after an edit
        import fcntl

        with open(path, "ab", buffering=0) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                held = False
            else:
                held = True
            yield held
