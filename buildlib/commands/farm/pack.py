"""The content of a job: the files that a variant is built from, each with its sha256."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from buildlib.errors import FarmError
from buildlib.layout import MANIFEST
from buildlib.model import Function, Variant
from buildlib.project import part
from buildlib.project.project import Project
from buildlib.steps import stage
from buildlib.uv import redact

# A variable, as in `https://${UV_INDEX_USER}:${UV_INDEX_PASSWORD}@host`.
_VARIABLE = re.compile(r"\$\{?\w+\}?")


def manifest(project: Project, variants: Iterable[Variant]) -> bytes:
    """Return a manifest of the functions of these variants, which all their jobs share."""
    functions = {variant.function.name: variant.function for variant in variants}
    found = part.manifest(project, list(functions.values()))
    if cache := project.manifest.cache:
        found["cache"] = {k: v for k, v in cache._asdict().items() if v} | {
            "keys": dict(cache.keys)
        }
        if not cache.keys:
            del found["cache"]["keys"]
    return json.dumps(found, sort_keys=True).encode()


def contents(project: Project, variant: Variant, manifest: bytes) -> dict[str, bytes]:
    """Return the content of each file that the build of a variant reads, by its path.

    Raises:
        FarmError: a file that is in no ZIP contains credentials, which go to no other machine.
        StageError: an own file looks like credentials, and the manifest does not allow it.
        OSError: a file cannot be read.

    """
    root = project.layout.root
    functions = project.with_layers(variant.function)
    for one in functions:
        stage.refuse_credentials(one, project.sources(one), project.layout)
    paths = {path for one in functions for path in part.files(project, one)}
    for folder in {folder for one in functions for folder in part.wheel_folders(project, one)}:
        files = (path for path in (root / folder).iterdir() if path.is_file())
        paths |= {project.layout.relative(path) for path in files}
    found = {path: (root / path).read_bytes() for path in sorted(paths)}
    _check_credentials(project, functions, found)
    return found | {MANIFEST: manifest}


def _check_credentials(
    project: Project, functions: Iterable[Function], found: Mapping[str, bytes]
) -> None:
    for path in sorted({path for one in functions for path in part.settings(project, one)}):
        text = _VARIABLE.sub("", found[path].decode(errors="replace"))
        if any(secret.strip(":") not in {"", "git"} for secret in redact.secrets(text)):
            msg = f"{path} contains credentials, which are not sent to workers"
            raise FarmError(msg)


def job(
    session: str, variant: Variant, key: str, found: Mapping[str, bytes], known: Iterable[str]
) -> dict[str, Any]:
    """Return a job for a worker that has contents already: those whose sha256 are `known`."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in found.items()}
    there = set(known)
    return {
        "session": f"{session}-{'git' if variant.function.gitignore else 'all'}",
        "variant": variant.id,
        "key": key,
        "files": digests,
        "blobs": {digests[path]: c for path, c in found.items() if digests[path] not in there},
    }
