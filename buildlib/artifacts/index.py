"""`dist/`: the ZIPs, their checksums, their evidence and the index, which never disagree.

The index is in two files: `lambdas.json` has the functions, and `layers.json` the layers, if there
are any. Here it is one.

The index has an entry for every declared variant, or Terraform would destroy the functions that it
lacks. A variant without a ZIP has `"status": "missing"`; a ZIP that a run should have replaced, and
could not, is `"stale"`.

A ZIP changes together with its description (its checksum, its evidence and its entry in the index),
under one lock: first the old description is removed, then the new ZIP replaces the old one, then
the new description is written (see `listing`). A process that is killed between two of these steps
leaves a ZIP without a description, never one with a wrong one.
"""

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from buildlib.files import atomic, locks
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.runtimes import RUNTIMES

Entry = dict[str, Any]


def read(layout: Layout) -> dict[str, Entry]:
    """Return the index; empty if the file is missing or corrupt."""
    found: dict[str, Entry] = {}
    for path in (layout.index, layout.layers):
        index = atomic.read_json(path)
        entries = index.items() if isinstance(index, dict) else ()
        found |= {name: entry if isinstance(entry, dict) else {} for name, entry in entries}
    return found


def is_id(name: str) -> bool:
    """Tell whether a name, such as one in the index, can be the id of a variant."""
    return _ID.fullmatch(name) is not None


_ID = re.compile(r"[a-z0-9][a-z0-9_-]*(-py[0-9]+\.[0-9]+-(x86_64|arm64))?")


def entry(layout: Layout, variant: Variant, written: Written) -> Entry:
    """Return a variant's entry in the index."""
    digest = bytes.fromhex(written.sha256)
    return {
        **_who(variant),
        "architecture": variant.architecture,
        "path": layout.relative_zip(variant.id),
        "sha256": written.sha256,
        "source_code_hash": base64.b64encode(digest).decode(),
        "size": written.size,
        "unzipped_size": written.unzipped_size,
    }


def missing(variant: Variant) -> Entry:
    """Return the entry of a variant that has no ZIP."""
    return {**_who(variant), "architecture": variant.architecture, "status": "missing"}


def without_zip(entry: Entry) -> Entry:
    """Return the entry of a variant whose ZIP is missing, from that with its ZIP."""
    return {name: value for name, value in entry.items() if name not in _OF_ZIP} | {
        "status": "missing"
    }


# The facts of an entry that say something of its ZIP.
_OF_ZIP = {"path", "sha256", "source_code_hash", "size", "unzipped_size", "stale"}


def _who(variant: Variant) -> Entry:
    """Return the part of an entry that says of which function or layer it is."""
    function, runtime = variant.function, RUNTIMES[variant.python].identifier
    if function.is_layer:
        return {"layer": function.name, "runtime": runtime}
    layers = [*function.layers, *function.arns]
    used = {"layers": layers} if layers else {}
    return {"lambda": function.name, "handler": function.handler, "runtime": runtime, **used}


def is_built(entry: Entry | None) -> bool:
    """Tell whether an entry describes a ZIP, be it a stale one."""
    return entry is not None and "sha256" in entry


def note_unbuilt(layout: Layout, unbuilt: Iterable[Variant], declared: Iterable[Variant]) -> None:
    """Mark the entries of variants that could not be built: stale, or missing without a ZIP."""
    with locks.locked(layout.lock("dist")):
        before = read(layout)
        index = before | {v.id: missing(v) for v in declared if v.id not in before}
        for variant in unbuilt:
            known = index.get(variant.id)
            is_there = known is not None and is_built(known) and layout.zip(variant.id).exists()
            index[variant.id] = known | {"stale": True} if known and is_there else missing(variant)
        if index != before:
            write(layout, index)


@contextlib.contextmanager
def new_zip(layout: Layout, variant_id: str) -> Iterator[Path]:
    """Yield the path for a new ZIP until `publish`, and remove a file that remains there."""
    temporary = layout.new_zip(variant_id)
    temporary.parent.mkdir(exist_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def is_listed(layout: Layout, variant: Variant, written: Written, listed: Entry | None) -> bool:
    """Tell whether the entry in the index is the right one for a ZIP."""
    return listed == entry(layout, variant, written)


def has_checksum(layout: Layout, variant: Variant, written: Written) -> bool:
    """Tell whether the checksum file of a ZIP is up to date."""
    try:
        checksum = layout.checksum(variant.id).read_bytes()
    except OSError:
        return False
    return checksum == _checksum(layout, variant, written)


def withdraw(
    layout: Layout, variant_id: str, *, zip_too: bool = True, declared: Variant | None = None
) -> None:
    """Remove a variant's entry in the index, its checksum, its evidence and its ZIP.

    A variant that is still `declared` is listed as missing.
    """
    with locks.locked(layout.lock("dist")):
        index = read(layout)
        if (before := index.pop(variant_id, None)) is not None:
            if declared:
                index[variant_id] = missing(declared)
            if index.get(variant_id) != before:
                write(layout, index)
        _remove_files(layout, variant_id, zip_too=zip_too)
    with contextlib.suppress(OSError):
        layout.dist.rmdir()  # fails unless it is empty


def withdraw_all(layout: Layout, ids: Iterable[str]) -> None:
    """Remove all that `withdraw` removes of several undeclared variants, and write once."""
    with locks.locked(layout.lock("dist")):
        before, gone = read(layout), {*ids}
        index = {name: entry for name, entry in before.items() if name not in gone}
        if len(index) < len(before):
            write(layout, index)
        for name in gone:
            _remove_files(layout, name)
    with contextlib.suppress(OSError):
        layout.dist.rmdir()


def _remove_files(layout: Layout, variant_id: str, *, zip_too: bool = True) -> None:
    if not is_id(variant_id):  # no file is its
        return
    signed = (layout.attestation(variant_id), layout.bundle(variant_id))
    described = (*layout.evidence(variant_id), *signed)
    for path in (*described, layout.checksum(variant_id)):
        atomic.remove(path)
    if zip_too:
        atomic.remove(layout.zip(variant_id))


def has(path: Path, content: bytes) -> bool:
    """Tell whether a file has this content."""
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def write_checksum(layout: Layout, variant: Variant, written: Written) -> None:
    """Write the checksum file of a ZIP."""
    atomic.write(layout.checksum(variant.id), _checksum(layout, variant, written), ours=True)


def _checksum(layout: Layout, variant: Variant, written: Written) -> bytes:
    """Return the line that `sha256sum -c` reads from the repository's root."""
    return f"{written.sha256}  {layout.relative_zip(variant.id)}\n".encode()


def write(layout: Layout, index: Mapping[str, Entry]) -> None:
    """Write the index, under the lock of dist/; without any ZIP there is no file."""
    layers = {name: entry for name, entry in index.items() if "layer" in entry}
    lambdas = {name: entry for name, entry in index.items() if name not in layers}
    for path, entries in ((layout.index, lambdas), (layout.layers, layers)):
        if not any(map(is_built, entries.values())):
            atomic.remove(path)
            continue
        text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
        atomic.write(path, text.encode(), ours=True)
