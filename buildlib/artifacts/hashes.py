"""`lambdas.hashes.json`: the expected hash for each key; committed, so that a plan needs no build.

A key covers every input that can reach the bytes, so a plan that computes the same key can rely on
the recorded hash. Each build proves it again: a build with another hash for a recorded key fails.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from buildlib.errors import RecordError
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.model import Variant, Written


class Entry(TypedDict):
    """The entry of a variant: its key and its sha256 in hex, and the sha256 in base64.

    The sizes in bytes are there for a variant with `size_growth`.
    """

    key: str
    sha256: str
    source_code_hash: str
    size: NotRequired[int]
    unzipped_size: NotRequired[int]


def entry(key: str, sha256: str, sized: Written | None = None) -> Entry:
    """Return the entry for the key of a variant's inputs and the sha256 (hex) of its ZIP.

    `sized` adds the sizes of the ZIP.
    """
    encoded = base64.b64encode(bytes.fromhex(sha256)).decode()
    found: Entry = {"key": key, "sha256": sha256, "source_code_hash": encoded}
    if sized is not None:
        found["size"], found["unzipped_size"] = sized.size, sized.unzipped_size
    return found


def of(variant: Variant, key: str, written: Written) -> Entry:
    """Return the entry of a variant for the ZIP of the inputs with a key."""
    sized = written if variant.function.size_growth else None
    return entry(key, written.sha256, sized)


def sizes(found: Entry | None) -> Written | None:
    """Return the recorded ZIP, if its sizes are recorded."""
    if found is None or "size" not in found or "unzipped_size" not in found:
        return None
    return Written(found["sha256"], found["size"], found["unzipped_size"])


def without_sizes(found: Entry) -> Entry:
    """Return an entry without sizes, over which its ZIP may grow to any."""
    return entry(found["key"], found["sha256"])


def read(layout: Layout) -> dict[str, Entry]:
    """Return the entries by variant, without invalid ones, such as the rest of a bad merge."""
    return _valid(atomic.read_json(layout.hashes))


def parse(content: bytes) -> dict[str, Entry]:
    """Return the entries in the content of an earlier file, as `read` does."""
    try:
        return _valid(json.loads(content))
    except (ValueError, RecursionError):
        return {}


def _valid(record: Any) -> dict[str, Entry]:  # noqa: ANN401 - any JSON value
    entries = record.items() if isinstance(record, dict) else ()
    return {variant_id: value for variant_id, value in entries if _is_entry(value)}


_SIZES = {"size", "unzipped_size"}


def _is_entry(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    try:
        return bool(value == entry(value["key"], value["sha256"], sizes(value))) and all(
            type(value[name]) is int and value[name] > 0 for name in _SIZES & value.keys()
        )
    except (KeyError, TypeError, ValueError):
        return False


def text(record: Mapping[str, Entry]) -> bytes:
    """Return the content of the file: sorted, one entry a line, so that merges rarely conflict."""
    lines = [
        f"  {json.dumps(variant_id)}: {json.dumps(value, sort_keys=True)}"
        for variant_id, value in sorted(record.items())
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode() if lines else b"{}\n"


def check(record: Mapping[str, Entry], variant: Variant, key: str, sha256: str) -> None:
    """Refuse a ZIP with another sha256 than the record has for its key.

    Raises:
        RecordError: the same inputs gave another hash before.

    """
    expected = record.get(variant.id)
    if expected is None or expected["key"] != key or expected["sha256"] == sha256:
        return
    msg = (
        f"lambdas.hashes.json: '{variant.id}' has sha256 {expected['sha256']} for these inputs, "
        f"but this build gave {sha256}. A plan based on the record would not match this ZIP, so it "
        "is not published. Find the build that is not reproducible (packages compiled from source "
        "may differ). To accept the new hash, delete the entry, run 'lambdas record' and commit "
        "the file"
    )
    raise RecordError(msg)
