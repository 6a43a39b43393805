"""`dist/shard.json`: the keys of the ZIPs that a build of named functions made or found there.

An index says which ZIPs there are, but not from which inputs they were built. So a build of named
functions writes their keys next to them, and `lambdas merge` compares these with the inputs of the
checkout that it publishes to.

The file pairs a key with a sha256. That pair stays true when `dist/` changes later, because
one key always gives the same bytes. A build that fails leaves no such file.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.artifacts import index
from buildlib.errors import MergeError
from buildlib.files import atomic, records
from buildlib.layout import SHARD, Layout

_FORMAT = 1

# The key and the duration in seconds of a step.
Time = tuple[str, float]


class Built(NamedTuple):
    """A ZIP of a shard: its key, that of its dependencies, its sha256, and how long steps took.

    `times` are by the names of steps.
    """

    key: str
    dependencies: str
    sha256: str
    times: Mapping[str, Time]


def _is_duration(value: object) -> bool:
    return type(value) in {int, float} and 0 <= value < float("inf")  # type: ignore[operator]


_BUILT = records.row(
    records.sha256,
    records.sha256,
    records.sha256,
    records.map_of(
        lambda step: step in {"venv", "stage", "touch", "zip"},
        records.row(records.sha256, _is_duration),
    ),
)
_SHAPE = records.fields(
    format=lambda value: value == _FORMAT,
    variants=records.map_of(lambda name: records.text(name) and index.is_id(name), _BUILT),
)


def write(layout: Layout, variants: Mapping[str, Built]) -> None:
    """Write the keys of the ZIPs of a finished build, by the ids of their variants."""
    records.write(layout.shard, {"format": _FORMAT, "variants": dict(sorted(variants.items()))})


def remove(layout: Layout) -> None:
    """Remove the keys of an earlier build."""
    atomic.remove(layout.shard)
    with contextlib.suppress(OSError):
        layout.dist.rmdir()  # fails unless it is empty


def read(folder: Path) -> dict[str, Built]:
    """Return the ZIPs of the shard whose `dist/` is in a folder, by the ids of their variants.

    Raises:
        MergeError: the folder has no such file, or a damaged one, or one of another version.

    """
    path = folder / SHARD
    found = records.read(path, _SHAPE)
    if found is not None:
        return {name: _built(row) for name, row in found["variants"].items()}
    if not folder.is_dir():
        msg = f"{folder}: no such folder; name the dist/ of a shard"
    elif not path.exists():
        msg = (
            f"{folder}: no {SHARD}, which 'lambdas build NAME...' writes when it succeeds; the "
            "shard failed, or this is not its dist/"
        )
    else:
        msg = (
            f"{path}: damaged, or of another version of doit-lambda-zip; build the shard again "
            "with this version"
        )
    raise MergeError(msg)


def _built(row: list[Any]) -> Built:
    key, dependencies, sha256, times = row
    durations = {step: (inputs, float(duration)) for step, (inputs, duration) in times.items()}
    return Built(key, dependencies, sha256, durations)
