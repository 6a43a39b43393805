"""`lambdas.hashes.json`: which hash each key gave; committed, so that a plan needs no build.

A key stands for all that can reach the bytes, so whoever computes the same key may rely on the
hash that is recorded for it. That it was right is held by every build: one that gets another hash
for a recorded key fails.
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
    """What is recorded of a variant: its key and its sha256 in hex, and the latter in base64."""

    key: str
    sha256: str
    source_code_hash: str


def entry(key: str, sha256: str) -> Entry:
    """Return the entry of a variant whose inputs have a key and whose ZIP has a sha256 (hex)."""
    encoded = base64.b64encode(bytes.fromhex(sha256)).decode()
    return {"key": key, "sha256": sha256, "source_code_hash": encoded}


def read(layout: Layout) -> dict[str, Entry]:
    """Return the record; what is no entry, as after a merge that went wrong, is not in it."""
    record = atomic.read_json(layout.hashes)
    entries = record.items() if isinstance(record, dict) else ()
    return {variant_id: value for variant_id, value in entries if _is_entry(value)}


def _is_entry(value: Any) -> bool:  # noqa: ANN401 - whatever the file has
    try:
        return bool(value == entry(value["key"], value["sha256"]))
    except (KeyError, TypeError, ValueError):
        return False


def text(record: Mapping[str, Entry]) -> bytes:
    """Return the content of the file: sorted, an entry a line, so that merges rarely conflict."""
    lines = [
        f"  {json.dumps(variant_id)}: {json.dumps(value, sort_keys=True)}"
        for variant_id, value in sorted(record.items())
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode() if lines else b"{}\n"


def check(record: Mapping[str, Entry], variant: Variant, key: str, sha256: str) -> None:
    """Refuse a ZIP that is not what the record says of its key.

    Raises:
        RecordError: the same inputs gave another hash before.

    """
    known = record.get(variant.id)
    if known is None or known["key"] != key or known["sha256"] == sha256:
        return
    msg = (
        f"lambdas.hashes.json: '{variant.id}' has sha256 {known['sha256']} for these inputs, and "
        f"what was built here has {sha256}. A plan that was made from the record does not hold for "
        "it, so it is not published. Find out which of the two is not reproducible (what is "
        "compiled from source may differ); to take the present bytes on purpose, delete the entry, "
        "run 'doit record' and commit the file"
    )
    raise RecordError(msg)
