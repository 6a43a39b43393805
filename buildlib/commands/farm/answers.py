"""Whether the answer of a worker is right: its ZIP is for the key, whole, and of these sources."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from buildlib.archive import contents
from buildlib.files import atomic
from buildlib.model import Origin, Variant, Written
from buildlib.project.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT


class Wrong(Exception):  # noqa: N818 - a finding, not a failure
    """An answer is wrong; the message follows "gave a wrong ZIP: "."""


def accept(project: Project, variant: Variant, key: str, answer: Mapping[str, Any]) -> None:
    """Put the ZIP of an answer into the cache.

    Raises:
        Wrong: it is not the ZIP of this variant.
        BuildError: the inputs changed meanwhile.
        OSError: it cannot be saved.

    """
    content, sha256 = answer["zip"], answer["sha256"]
    if answer["key"] != key:
        raise Wrong(_KEY)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Wrong(_SHA256)
    recorded = project.recorded().get(variant.id)
    if recorded and recorded["key"] == key and recorded["sha256"] != sha256:
        msg = f"its sha256 is {sha256}, and lambdas.hashes.json has {recorded['sha256']}"
        raise Wrong(msg)
    path = project.layout.downloads / f".{key}.{os.getpid()}.tmp"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(content)
        _check_sources(path, project.inputs(variant).own)
        unzipped = contents.unzipped_size(path)
        project.cache.store.put(key, path, Written(sha256, len(content), unzipped))
        project.cache.added(len(content))
    finally:
        atomic.remove(path)


def _check_sources(path: Path, own: Iterable[Origin]) -> None:
    """Compare the function's own files, which are known here, with those in a ZIP."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            for origin in own:
                member = members.get(origin.file.path)
                if member is None or member.file_size > UNZIPPED_LIMIT:
                    msg = f"it lacks {origin.file.path}"
                    raise Wrong(msg)
                if hashlib.sha256(archive.read(member)).hexdigest() != origin.file.sha256:
                    msg = f"its {origin.file.path} is not {origin.path}"
                    raise Wrong(msg)
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError) as error:
        msg = f"it is damaged: {error}"
        raise Wrong(msg) from None


_KEY = "it is for other inputs"
_SHA256 = "it was damaged on its way"
