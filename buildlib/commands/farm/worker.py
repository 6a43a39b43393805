"""The part of a farm that runs on a worker: it gets content, and returns finished ZIPs.

The worker builds in a folder of its own, with its own settings of uv, Docker and the caches. A
folder serves one run of one client, so that variants which share an environment install it once.
All values are plain, and nothing that a client sends is believed: contents are compared with their
sha256, and paths stay below the folder.
"""

import contextlib
import hashlib
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from buildlib import errors
from buildlib.commands.farm import versions
from buildlib.errors import BuildError, FarmError
from buildlib.files import atomic
from buildlib.layout import OUTPUTS
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import run, stage
from buildlib.steps import zip as archive

_PREFIX = "lambdas-"
_SESSION = re.compile(r"[0-9a-f]{32}-[a-z]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")

# Characters that Windows takes for a separator, a drive or a stream, and the end of a C string.
_STRANGE = re.compile(r"[\\:\0]")

# Folders of clients that were killed are removed after this many seconds.
_LEFT = 86_400

# Characters of a failure.
_LONGEST = 200

_FROZEN = "A worker of a farm writes no lockfile"

Answer = dict[str, Any]


def describe(folder: str) -> dict[str, str]:
    """Return the facts that must be equal to the client's; remove folders of killed clients."""
    for path in Path(folder).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT:
                _remove(path)
    return versions.here()


def forget(folder: str, session: str) -> None:
    """Remove the folders of a client whose run ended."""
    for path in Path(folder).glob(f"{_PREFIX}{session}-*"):
        _remove(path)


def _remove(path: Path) -> None:
    # In a thread: the worker answers the scheduler meanwhile.
    threading.Thread(target=shutil.rmtree, args=(path, True), daemon=True).start()


def build(folder: str, job: Mapping[str, Any]) -> Answer:
    """Build a variant, and return its ZIP, or the names of contents that are missing here.

    `job` has `session`, `variant`, `key`, `files` (the sha256 of each path) and `blobs` (contents
    by sha256). Errors are a part of the answer: `error`, which a user can fix, or `failure`.
    """
    try:
        return _build(folder, job)
    except (BuildError, OSError) as error:
        return {"error": errors.describe(error)}
    except Exception as error:  # noqa: BLE001 - one that cannot be sent would never arrive
        return {"failure": " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]}


def _build(folder: str, job: Mapping[str, Any]) -> Answer:
    if not _SESSION.fullmatch(job["session"]):
        msg = "the session of a job has a wrong form"
        raise FarmError(msg)
    top = Path(folder) / f"{_PREFIX}{job['session']}"
    blobs, root = top / "blobs", top / "repository"
    blobs.mkdir(parents=True, exist_ok=True)
    os.utime(top)
    files = {path: _digest(sha256) for path, sha256 in job["files"].items()}
    _keep(blobs, job["blobs"])
    if missing := sorted({one for one in files.values() if not (blobs / one).is_file()}):
        return {"missing": missing}
    for path, sha256 in files.items():
        _place(blobs / sha256, root / _inside(path))
    project = Project(root.resolve(), generated=True, frozen=_FROZEN)
    variant = project.variants[job["variant"]]
    key = project.inputs(variant).key
    if key != job["key"]:
        msg = f"{variant.id}: these files give the key {key[:12]} here and {job['key'][:12]} there"
        raise FarmError(msg)
    with _tidied(project, variant):
        return _answer(project, variant)


def _answer(project: Project, variant: Variant) -> Answer:
    done = [one for _, one in run.build(project, variant)]
    written = project.status(variant).written
    if written is None:
        msg = f"{variant.id}: changed while it was built"
        raise FarmError(msg, "changed")
    return {
        "key": project.inputs(variant).key,
        "sha256": written.sha256,
        "zip": project.layout.zip(variant.id).read_bytes(),
        "notes": [note for one in done for note in one.notes],
        "doubts": [list(doubt) for one in done for doubt in one.doubts],
    }


@contextlib.contextmanager
def _tidied(project: Project, variant: Variant) -> Iterator[None]:
    """Remove the files of a variant that is built; environments stay."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            stage.clean(project.layout, variant.id)
            archive.clean(project.layout, variant.id)
            atomic.remove(project.layout.zip(variant.id))


def _digest(text: object) -> str:
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        msg = "a job names a content that is no sha256"
        raise FarmError(msg)
    return text


def _inside(path: str) -> str:
    """Return a path that is below the folder, and not a place of build output.

    Raises:
        FarmError: it is another one.

    """
    parts = path.split("/")
    if {"", ".", ".."} & {*parts} or _STRANGE.search(path) or parts[0] in OUTPUTS:
        msg = f"a job has a file in a wrong place: {path!r}"
        raise FarmError(msg)
    return path


def _keep(blobs: Path, contents: Mapping[str, bytes]) -> None:
    """Write contents that have the sha256 of their names."""
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != name:
            msg = "a content has another sha256 than its name, so it was damaged on its way"
            raise FarmError(msg)
        temporary = blobs / f".{uuid.uuid4().hex}.tmp"
        temporary.write_bytes(content)
        temporary.replace(blobs / name)


def _place(blob: Path, target: Path) -> None:
    """Put a content into its place; several threads may do so at the same time."""
    try:
        if target.samefile(blob):
            return
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
    # Not in the target's folder: another thread may list that folder.
    temporary = blob.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        os.link(blob, temporary)
    except OSError:  # no links here
        shutil.copyfile(blob, temporary)
    temporary.replace(target)
