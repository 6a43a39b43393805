"""Which processes work in a checkout. A process that is killed leaves its note and its temporaries.

A note is an empty file, named by the id of its process. On Windows, where a process cannot be asked
whether it lives without ending it, every process counts as alive.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from buildlib.files import atomic

_NOTE = re.compile(r"[0-9]{1,9}")


def begin(folder: Path) -> Path:
    """Leave the note of this process in a folder; return its path."""
    note = folder / str(os.getpid())
    with contextlib.suppress(OSError):  # a run in a read-only checkout leaves nothing to tidy
        folder.mkdir(parents=True, exist_ok=True)
        note.touch()
    return note


def end(note: Path) -> None:
    """Remove the note of this process."""
    if note.name == str(os.getpid()):  # not in a forked worker
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)


def killed(folder: Path) -> list[Path]:
    """Return the notes of processes that are gone."""
    return [note for note in _notes(folder) if not is_alive(int(note.name))]


def is_alone(folder: Path) -> bool:
    """Tell whether no other process works here."""
    return all(
        int(note.name) == os.getpid() or not is_alive(int(note.name)) for note in _notes(folder)
    )


def _notes(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder) if _NOTE.fullmatch(name)]
    except OSError:
        return []


def is_alive(process: int) -> bool:
    """Tell whether a process of this machine lives."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    return True


def leftovers(folder: Path) -> Iterator[Path]:
    """Yield the temporary files and folders in `folder` of processes that are gone."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = atomic.TEMPORARY.fullmatch(entry.name)
            if match and not is_alive(int(match[1])):
                yield Path(entry.path)
