"""`dist/`: the ZIPs, their checksums, their evidence and the index, which never disagree.

A ZIP changes together with its description (its checksum, its evidence and its entry in the index),
under one lock: first the old description is removed, then the new ZIP replaces the old one, then
the new description is written. A process that is killed between two of these steps leaves a ZIP
without a description, never one with a wrong one.
"""

import base64
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from buildlib.files import atomic, locks
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.runtimes import RUNTIMES

Entry = dict[str, Any]


def read(layout: Layout) -> dict[str, Entry]:
    """Return the index; empty if the file is missing or corrupt."""
    index = atomic.read_json(layout.index)
    return index if isinstance(index, dict) else {}


def entry(layout: Layout, variant: Variant, written: Written) -> Entry:
    """Return a variant's entry in the index."""
    digest = bytes.fromhex(written.sha256)
    return {
        "lambda": variant.function.name,
        "handler": variant.function.handler,
        "runtime": RUNTIMES[variant.python].identifier,
        "architecture": variant.architecture,
        "path": layout.relative_zip(variant.id),
        "sha256": written.sha256,
        "source_code_hash": base64.b64encode(digest).decode(),
        "size": written.size,
        "unzipped_size": written.unzipped_size,
    }


def publish(
    layout: Layout,
    variant: Variant,
    written: Written,
    new: Path | None = None,
    evidence: Mapping[Path, bytes] = MappingProxyType({}),
) -> None:
    """Replace the ZIP of a variant by the file `new`, and write its description.

    Without `new`, the ZIP stays, and only its description is written. `evidence` maps the paths of
    `layout.evidence` to contents; a file that is not among them is removed.
    """
    with locks.locked(layout.lock("dist")):
        index = read(layout)
        new_entry = entry(layout, variant, written)
        for path in layout.evidence(variant.id):
            if path not in evidence or not _has(path, evidence[path]):
                path.unlink(missing_ok=True)
        if index.get(variant.id) != new_entry:
            if index.pop(variant.id, None) is not None:
                _write(layout, index)
            layout.checksum(variant.id).unlink(missing_ok=True)
        if new is not None:
            os.replace(new, layout.zip(variant.id))
        atomic.write(layout.checksum(variant.id), _checksum(layout, variant, written))
        for path, content in evidence.items():
            if not _has(path, content):
                atomic.write(path, content)
        if index.get(variant.id) != new_entry:
            index[variant.id] = new_entry
            _write(layout, index)


@contextlib.contextmanager
def new_zip(layout: Layout, variant_id: str) -> Iterator[Path]:
    """Yield the path for a new ZIP until `publish`, and remove a file that remains there."""
    temporary = layout.new_zip(variant_id)
    temporary.parent.mkdir(exist_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def is_listed(
    layout: Layout, variant: Variant, written: Written, index: Mapping[str, Entry]
) -> bool:
    """Tell whether the index has the right entry for a ZIP."""
    return index.get(variant.id) == entry(layout, variant, written)


def has_checksum(layout: Layout, variant: Variant, written: Written) -> bool:
    """Tell whether the checksum file of a ZIP is up to date."""
    try:
        checksum = layout.checksum(variant.id).read_bytes()
    except OSError:
        return False
    return checksum == _checksum(layout, variant, written)


def withdraw(layout: Layout, variant_id: str, *, zip_too: bool = True) -> None:
    """Remove a variant's entry in the index, its checksum, its evidence and its ZIP."""
    with locks.locked(layout.lock("dist")):
        index = read(layout)
        if index.pop(variant_id, None) is not None:
            _write(layout, index)
        for path in (*layout.evidence(variant_id), layout.checksum(variant_id)):
            atomic.remove(path)
        if zip_too:
            atomic.remove(layout.zip(variant_id))
    with contextlib.suppress(OSError):
        layout.dist.rmdir()  # fails unless it is empty


def _has(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _checksum(layout: Layout, variant: Variant, written: Written) -> bytes:
    """Return the line that `sha256sum -c` reads from the repository's root."""
    return f"{written.sha256}  {layout.relative_zip(variant.id)}\n".encode()


def _write(layout: Layout, index: dict[str, Entry]) -> None:
    if not index:
        layout.index.unlink(missing_ok=True)
        return
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    atomic.write(layout.index, text.encode())
