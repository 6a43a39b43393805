"""The one place from which text goes to the streams of this process.

One thread writes at a time. The threads of a run report their tasks, and a text stream of Python is
not safe for threads: it loses text and emits uninitialised memory
(https://github.com/python/cpython/issues/119506).
"""

import threading
from collections.abc import Iterable
from typing import TextIO

from buildlib.text import harmless

_lock = threading.RLock()  # a signal may interrupt a writer, and have something to say


def write(stream: TextIO, text: str) -> None:
    """Write text for a reader."""
    with _lock:
        stream.write(harmless(text))


def data(stream: TextIO | None, text: str) -> None:
    """Write JSON for a program; nothing in it is altered, as its strings are escaped.

    Python has no stream where the caller closed it.
    """
    with _lock:
        if stream is not None:
            stream.write(f"{text}\n")


def command(stream: TextIO, lines: Iterable[str]) -> None:
    """Write commands for a CI service, which escape what they quote."""
    with _lock:
        stream.writelines(f"{line}\n" for line in lines)
