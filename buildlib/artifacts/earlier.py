"""The ZIPs of an earlier build: a `lambdas.json` or `lambdas.hashes.json` to compare with."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.artifacts import index
from buildlib.errors import BuildError

NEW, CHANGED, SAME, REMOVED = "new", "changed", "same", "removed"

# The index of layers, in the folder of the index of functions.
_LAYERS = "layers.json"

_SHA256 = re.compile("[0-9a-f]{64}")


class Earlier(NamedTuple):
    """A ZIP of an earlier build; the sizes are in bytes, and None in a file that has none."""

    sha256: str
    size: int | None = None
    unzipped_size: int | None = None


class Base(NamedTuple):
    """The build that another one is compared with: the name of its file, and its ZIPs."""

    name: str
    zips: Mapping[str, Earlier]


def read(path: Path) -> Mapping[str, Earlier]:
    """Return the ZIPs that an earlier index or `lambdas.hashes.json` lists, by the ids of variants.

    A `layers.json` in the same folder is read, too. Variants without a ZIP are left out.

    Raises:
        BuildError: the file cannot be read, or is of another kind.

    """
    found = _entries(path)
    layers = path.with_name(_LAYERS)
    if path.name != _LAYERS and layers.is_file() and not any("key" in e for e in found.values()):
        found |= _entries(layers)
    return of_index(found)


def of_index(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Earlier]:
    """Return the ZIPs of an index, without stale ones: these are of other inputs."""
    return {
        name: Earlier(entry["sha256"], entry.get("size"), entry.get("unzipped_size"))
        for name, entry in entries.items()
        if entry.get("sha256") and not entry.get("stale")
    }


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _refused(path, f"cannot be read: {reason}") from None
    except (ValueError, RecursionError):
        raise _refused(path, "is not valid JSON") from None
    is_index = isinstance(content, dict) and all(map(_is_entry, content.values()))
    if not is_index or not all(map(index.is_id, content)):
        raise _refused(path, "is not an index of ZIPs")
    return content


def _refused(path: Path, problem: str) -> BuildError:
    msg = (
        f"{path}: {problem}. A comparison needs the dist/lambdas.json or the lambdas.hashes.json "
        "of an earlier build; name one of these, or leave out the comparison"
    )
    return BuildError(msg, "earlier-index")


def _is_entry(entry: object) -> bool:
    """Tell whether a value is an entry of either file, be it one of a variant without a ZIP."""
    if not isinstance(entry, dict):
        return False
    sha256 = entry.get("sha256")
    if sha256 is None:
        return "status" in entry
    sizes = (entry.get(name) for name in ("size", "unzipped_size"))
    is_hash = isinstance(sha256, str) and _SHA256.fullmatch(sha256) is not None
    return is_hash and all(size is None or type(size) is int for size in sizes)


def compare(
    before: Mapping[str, Earlier], entries: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return whether each variant's ZIP is new, changed, same or removed since an earlier build.

    `entries` are those of the present index, which lists every declared variant. A variant that is
    declared, but has no ZIP of its present inputs, is left out.
    """
    now = of_index(entries)
    found = {name: REMOVED for name in before if name not in entries} if entries else {}
    for name, one in now.items():
        if name not in before:
            found[name] = NEW
        else:
            found[name] = SAME if before[name].sha256 == one.sha256 else CHANGED
    return found
