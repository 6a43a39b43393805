"""Write files atomically, so that a killed process leaves the earlier content."""

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The name of the temporary file of a process, by its id.
TEMPORARY = re.compile(r"\..+\.([0-9]{1,9})\.tmp")


@contextlib.contextmanager
def replacing(path: Path, *, ours: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, and rename it to `path` on success.

    A folder in the place of a file that is `ours` alone is damage, and is removed.

    A process that is killed on the way leaves the earlier `path`, and a temporary file that no code
    reads.
    """
    if not os.path.isdir(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if ours and path.is_dir():
            remove(path)
        os.replace(temporary, path)
    except BaseException:
        _discard(temporary)
        raise


def _discard(temporary: str | Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(temporary)


def write(path: Path, content: bytes, *, ours: bool = False) -> None:
    """Replace the content of `path` atomically, as `replacing` does."""
    # Most folders exist, and hardly any file's place is taken. With plain strings, a thousand
    # functions save half a second.
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb", buffering=0) as stream:
            done = stream.write(content) == len(content)
        if done:
            os.replace(temporary, path)
            return
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        pass
    except PermissionError:
        if not (ours and path.is_dir()):  # as Windows says of a folder in its place
            _discard(temporary)
            raise
    except BaseException:
        _discard(temporary)
        raise
    with replacing(path, ours=ours) as slow:
        slow.write_bytes(content)


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value in `path`; None if it is missing or corrupt, as after a crash."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, RecursionError):
        return None


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists.

    Another thread or process may remove the same at the same time.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
    elif sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=lambda _function, _path, error: _bear_missing(error))
    else:
        shutil.rmtree(path, onerror=lambda _function, _path, info: _bear_missing(info[1]))


def _bear_missing(error: BaseException) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
