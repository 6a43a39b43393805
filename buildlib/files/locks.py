"""Locks between processes and threads, released by the operating system when a process dies."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` against other processes and threads; wait as long as it takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _held(path, wait=True):
        yield


def is_locked(path: Path) -> bool:
    """Tell whether another process or thread holds the lock `path`."""
    if not path.exists():
        return False
    with _held(path, wait=False) as held:
        return not held


@contextlib.contextmanager
def cores(folder: Path) -> Iterator[int]:
    """Hold the processors that no other process or thread holds, at least one; give their number.

    So that `doit -n` does not run a thread for each processor in each of its processes, and a
    process that is alone still uses all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        locks = [folder / f"core-{core}.lock" for core in range(os.cpu_count() or 1)]
        yield sum(stack.enter_context(_held(lock, wait=False)) for lock in locks) or 1


@contextlib.contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock, and tell whether it was to be had: always, for who waits."""
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
    else:  # as filelock does it, the import of which takes longer than most steps of an edit
        import fcntl

        with path.open("a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                held = False
            else:
                held = True
            yield held
