"""Files in `dist/` that look like artifacts of this package, and belong to no declared variant."""

import contextlib
import os
import re
from collections.abc import Collection
from pathlib import Path

from buildlib.archive import headers
from buildlib.files import atomic, locks, running
from buildlib.layout import Layout

_ARTIFACT = re.compile(
    r"(?P<id>[a-z0-9][a-z0-9_-]*(-py[0-9]+\.[0-9]+-(x86_64|arm64))?)"
    r"(?P<kind>\.zip|\.zip\.sha256|\.cdx\.json|\.intoto(\.dsse)?\.json|\.sigstore\.json)"
)


_NEW_ZIP = re.compile(r"\.(?P<id>[a-z0-9][a-z0-9_.-]*)\.zip\.tmp")


_CHECKSUM = re.compile(rb"[0-9a-f]{64}  dist/[a-z0-9_.-]+\.zip\n")


def find(layout: Layout, declared: Collection[str]) -> list[Path]:
    """Return the artifacts of undeclared variants, and the temporaries of killed processes.

    A ZIP counts if its first header is one that this package writes, so that other ZIPs stay.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(layout.dist) as entries:
        found = [Path(e.path) for e in entries if _is_leftover(e, layout, declared)]
    return sorted(found)


def _is_leftover(entry: "os.DirEntry[str]", layout: Layout, declared: Collection[str]) -> bool:
    name = entry.name
    if name.startswith("."):
        if match := _NEW_ZIP.fullmatch(name):
            return not locks.is_locked(layout.lock(f"build-{match['id']}"))
        temporary = atomic.TEMPORARY.fullmatch(name)
        return temporary is not None and not running.is_alive(int(temporary[1]))
    match = _ARTIFACT.fullmatch(name)
    if match is None or match["id"] in declared or entry.is_dir(follow_symlinks=False):
        return False
    if match["kind"] in {".zip", ".zip.sha256"}:
        return _is_ours(entry.path, match["kind"])
    return True


def _is_ours(path: str, kind: str) -> bool:
    try:
        with open(path, "rb") as stream:
            start = stream.read(200)
    except OSError:
        return False
    if kind == ".zip":
        return headers.is_ours(start)
    return _CHECKSUM.fullmatch(start) is not None
