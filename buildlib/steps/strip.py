"""The symbols of shared objects in an environment: they are removed in the step `venv`."""

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib import contract
from buildlib.environment import record, stripping
from buildlib.files import records
from buildlib.layout import Layout
from buildlib.model import File
from buildlib.steps.bytecode import SourceChangedError

_logger = logging.getLogger(__name__)

# Files in a message.
_SHOWN = 3


class Stripped(NamedTuple):
    """The number of files without their symbols, and their sizes in bytes before and after."""

    files: int
    before: int
    after: int


_SHAPE = records.fields(files=records.number, before=records.number, after=records.number)


def load(layout: Layout, key: str) -> Stripped | None:
    """Return the savings in the environment with a key; None if it is not installed."""
    found = records.read(layout.environment_stripped(key), _SHAPE)
    return Stripped(**found) if found else None


def of_dependencies(files: Sequence[File], tree: Path, target: Path, title: str) -> list[File]:
    """Remove symbols in the tree of an environment, and write the savings to `target`.

    Return all of its files, with RECORDs of the new contents. `title` is for warnings.

    Raises:
        SourceChangedError: a file differs from its RECORD.

    """
    changed: dict[str, File] = {}
    kept: dict[str, str] = {}
    done = Stripped(0, 0, 0)
    paths = {file.path for file in files}
    for file in files:
        if not stripping.is_candidate(file.path):
            continue
        path = tree / file.path
        with path.open("rb") as stream:
            if stream.read(len(stripping.MAGIC)) != stripping.MAGIC:
                continue
            stream.seek(0)
            content = stream.read()
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise SourceChangedError(file.path)
        cut = stripping.cut(file.path, content, paths)
        if cut.why:
            kept[file.path] = cut.why
        if cut.content != content:
            changed[file.path] = _replace(tree, file.path, cut.content)
            done = Stripped(
                done.files + 1, done.before + len(content), done.after + len(cut.content)
            )
    if kept:
        _logger.warning("%s: %s", title, _remark(kept))
    records.write(target, done._asdict())
    return _recorded(files, changed, tree)


def _replace(tree: Path, name: str, content: bytes) -> File:
    """Replace a file, which may be a link into the installer's cache."""
    path = tree / name
    path.unlink()
    path.write_bytes(content)
    os.utime(path, (contract.MTIME, contract.MTIME))
    return File(name, hashlib.sha256(content).hexdigest(), len(content))


def _recorded(files: Iterable[File], changed: Mapping[str, File], tree: Path) -> list[File]:
    """Return all files of an environment, after rewriting the RECORDs of changed ones."""
    found = []
    for file in files:
        new = changed.get(file.path, file)
        if file.path.endswith(".dist-info/RECORD") and changed:
            before = (tree / file.path).read_bytes()
            after = record.changed_record(before, changed)
            if after != before:
                new = _replace(tree, file.path, after)
        found.append(new)
    return found


def _remark(kept: Mapping[str, str]) -> str:
    shown = [f"{path}, which {why}" for path, why in sorted(kept.items())[:_SHOWN]]
    if len(kept) > _SHOWN:
        shown.append(f"{len(kept) - _SHOWN} more")
    return f"'strip' leaves the symbols in {'; '.join(shown)}"
