"""Kill a process at every change that it makes to files, one change after the other."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

_CHANGES = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"}
_CHANGES |= {"os.chmod", "os.truncate", "os.utime"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


class Crash(BaseException):
    """The end of the process."""


class Crashes:
    """Counts the changes below a folder, and ends the process before one of them.

    Once it ended nothing changes any more: no cleaning up, as after `kill -9`. `torn` leaves half
    of the content in the file that was opened last, as if the process died while it wrote.
    """

    def __init__(self, root: Path, count: int, *, torn: bool) -> None:
        self.root, self.left, self.torn = str(root), count, torn
        self.thread = threading.get_ident()
        self.written: str | None = None
        self.is_dead = False

    def __enter__(self) -> Self:
        """Begin to count."""
        _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the files as the end of the process does."""
        _active.remove(self)
        if self.is_dead and self.torn and self.written and os.path.isfile(self.written):
            os.truncate(self.written, os.path.getsize(self.written) // 2)

    def change(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note one change, or end the process instead of it."""
        path = os.fspath(arguments[0])  # type: ignore[call-overload]
        if not str(path).startswith(self.root) or self.thread != threading.get_ident():
            return
        self.left -= 1
        if self.left <= 0:
            self.is_dead = True
            raise Crash
        if event == "open":
            self.written = path
        elif path == self.written:
            self.written = None


_active: list[Crashes] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not _active or not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    if event in _CHANGES or (event == "open" and _is_for_writing(*arguments[1:])):
        _active[-1].change(event, arguments)


def _is_for_writing(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return not mode.startswith("r") or "+" in mode
    return isinstance(flags, int) and bool(flags & _WRITING)


sys.addaudithook(_audit)


def each(root: Path, *, torn: bool) -> Iterator[Crashes]:
    """Yield a context for each change that a block makes; the last block comes to its end."""
    for count in range(1, 500):
        crashes = Crashes(root, count, torn=torn)
        yield crashes
        if not crashes.is_dead:
            assert count > 2, "the block changes nothing"
            return
    pytest.fail("it never came to an end")
