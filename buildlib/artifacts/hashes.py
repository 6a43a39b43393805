"""`lambdas.hashes.json`: the expected hash for each key; committed, so that a plan needs no build.

A key covers every input that can reach the bytes, so a plan that computes the same key can rely on
the recorded hash. Each build proves it again: a build with another hash for a recorded key fails.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, TypedDict

from buildlib.errors import RecordError
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.model import Variant


class Entry(TypedDict):
    """The entry of a variant: its key and its sha256 in hex, and the sha256 in base64."""

    key: str
    sha256: str
    source_code_hash: str


def entry(key: str, sha256: str) -> Entry:
    """Return the entry for the key of a variant's inputs and the sha256 (hex) of its ZIP."""
    encoded = base64.b64encode(bytes.fromhex(sha256)).decode()
    return {"key": key, "sha256": sha256, "source_code_hash": encoded}


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


def _is_entry(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    try:
        return bool(value == entry(value["key"], value["sha256"]))
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
