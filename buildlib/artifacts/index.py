"""`dist/`: the ZIPs, their checksums, their evidence and the index, which never disagree.

The index is in two files: `lambdas.json` has the functions, and `layers.json` the layers, if there
are any. Here it is one.

The index has an entry for every declared variant, or Terraform would destroy the functions that it
lacks. A variant without a ZIP has `"status": "missing"`; a ZIP that a run should have replaced, and
could not, is `"stale"`.

A ZIP changes together with its description (its checksum, its evidence and its entry in the index),
under one lock: first the old description is removed, then the new ZIP replaces the old one, then
the new description is written. A process that is killed between two of these steps leaves a ZIP
without a description, never one with a wrong one.
"""

import base64
import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

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
            _write(layout, index)


def publish(  # noqa: PLR0913 - a description has these parts
    layout: Layout,
    variant: Variant,
    written: Written,
    *,
    new: Path | None = None,
    evidence: Mapping[Path, bytes] = MappingProxyType({}),
    declared: Iterable[Variant] = (),
) -> None:
    """Replace the ZIP of a variant by the file `new`, and write its description.

    Without `new`, the ZIP stays, and only its description is written. `evidence` maps the paths of
    `layout.evidence` to contents; a file that is not among them is removed. Variants that are
    `declared` and not in the index yet are listed as missing.
    """
    with locks.locked(layout.lock("dist")):
        index = read(layout)
        index |= {v.id: missing(v) for v in declared if v.id not in index}
        new_entry = entry(layout, variant, written)
        for path in layout.evidence(variant.id):
            if path not in evidence or not _has(path, evidence[path]):
                atomic.remove(path)
        if index.get(variant.id) != new_entry:
            if is_built(index.get(variant.id)):
                index[variant.id] = missing(variant)
                _write(layout, index)
            atomic.remove(layout.checksum(variant.id))
        if new is not None:
            if layout.zip(variant.id).is_dir():
                atomic.remove(layout.zip(variant.id))
            os.replace(new, layout.zip(variant.id))
        atomic.write(layout.checksum(variant.id), _checksum(layout, variant, written), ours=True)
        for path, content in evidence.items():
            if not _has(path, content):
                atomic.write(path, content, ours=True)
        if index.get(variant.id) != new_entry:
            index[variant.id] = new_entry
            _write(layout, index)


class Publication(NamedTuple):
    """A new ZIP of a variant, at the path `new`, and its evidence as `publish` takes it."""

    variant: Variant
    written: Written
    new: Path
    evidence: Mapping[Path, bytes]


def publish_all(
    layout: Layout, publications: Sequence[Publication], *, declared: Iterable[Variant]
) -> None:
    """Replace ZIPs and their descriptions as `publish` does, but write the index only twice."""
    with locks.locked(layout.lock("dist")):
        index = {v.id: missing(v) for v in declared} | read(layout)
        for variant, _, _, evidence in publications:
            index[variant.id] = missing(variant)
            for path in {*layout.evidence(variant.id)} - evidence.keys():
                atomic.remove(path)
        _write(layout, index)
        for variant, written, new, evidence in publications:
            for path in (layout.checksum(variant.id), *evidence):
                atomic.remove(path)
            if layout.zip(variant.id).is_dir():
                atomic.remove(layout.zip(variant.id))
            os.replace(new, layout.zip(variant.id))
            content = {layout.checksum(variant.id): _checksum(layout, variant, written), **evidence}
            for path, text in content.items():
                atomic.write(path, text, ours=True)
            index[variant.id] = entry(layout, variant, written)
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
                _write(layout, index)
        _remove_files(layout, variant_id, zip_too=zip_too)
    with contextlib.suppress(OSError):
        layout.dist.rmdir()  # fails unless it is empty


def withdraw_all(layout: Layout, ids: Iterable[str]) -> None:
    """Remove all that `withdraw` removes of several undeclared variants, and write once."""
    with locks.locked(layout.lock("dist")):
        before, gone = read(layout), {*ids}
        index = {name: entry for name, entry in before.items() if name not in gone}
        if len(index) < len(before):
            _write(layout, index)
        for name in gone:
            _remove_files(layout, name)
    with contextlib.suppress(OSError):
        layout.dist.rmdir()


def _remove_files(layout: Layout, variant_id: str, *, zip_too: bool = True) -> None:
    if not is_id(variant_id):  # no file is its
        return
    for path in (*layout.evidence(variant_id), layout.checksum(variant_id)):
        atomic.remove(path)
    if zip_too:
        atomic.remove(layout.zip(variant_id))


def _has(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _checksum(layout: Layout, variant: Variant, written: Written) -> bytes:
    """Return the line that `sha256sum -c` reads from the repository's root."""
    return f"{written.sha256}  {layout.relative_zip(variant.id)}\n".encode()


def _write(layout: Layout, index: dict[str, Entry]) -> None:
    layers = {name: entry for name, entry in index.items() if "layer" in entry}
    lambdas = {name: entry for name, entry in index.items() if name not in layers}
    for path, entries in ((layout.index, lambdas), (layout.layers, layers)):
        if not any(map(is_built, entries.values())):
            atomic.remove(path)
            continue
        text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
        atomic.write(path, text.encode(), ours=True)
