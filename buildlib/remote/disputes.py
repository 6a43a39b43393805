"""Two builds of the same inputs with different bytes: both are kept, and people are told."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from buildlib.files import atomic
from buildlib.remote import entries
from buildlib.remote.entries import Claim
from buildlib.remote.trust import Wanted
from buildlib.text import harmless


def place(folder: Path, name: str, sha256: str) -> Path:
    """Return the place of a disputed ZIP of a variant."""
    return folder / f"{name}-{sha256[:12]}.zip"


def keep(folder: Path, name: str, sha256: str, path: Path) -> Path:
    """Copy a disputed ZIP, and return its place."""
    target = place(folder, name, sha256)
    with atomic.replacing(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def message(wanted: Wanted, mine: Claim, theirs: Claim, paths: Sequence[str], shown: str) -> str:
    """Return the message about a dispute; `paths` are the places of this ZIP and the other."""
    return (
        f"{wanted.name}: two builds of the same inputs have different bytes. This one has the "
        f"sha256 {mine.sha256}. The remote cache {shown} has {theirs.sha256}, built by "
        f"{harmless(theirs.built_by) or 'an unknown builder'}. Nothing in the cache was "
        f"overwritten, and this ZIP is not used. Compare the two: lambdas diff {paths[0]} "
        f"{paths[1]}. Packages compiled from source may differ; if no such difference explains it, "
        f"suspect that somebody tampered with the cache. Then delete {entries.claim(wanted.key)} "
        f"and the folder {entries.DISPUTES}/{wanted.key} from the cache, and build again"
    )


NO_EVIDENCE = (
    "the remote cache has entries for other ZIPs than this build gave, but does not have these "
    "ZIPs; delete these entries from the cache"
)

RECORDED = (
    "the remote cache has other ZIPs than this build and lambdas.hashes.json; both are in "
    "build/disputes. Somebody tampered with the cache, or another builder is broken"
)
