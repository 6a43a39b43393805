"""The ZIPs to publish: those of the present inputs, which no committed record contradicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import hashes, published
from buildlib.artifacts.published import Entry
from buildlib.errors import BuildError, PublishError
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.remote.objects import Address, Wanted


class Item(NamedTuple):
    """A variant, its object, and its ZIP; None if only its sha256 is known."""

    variant: Variant
    wanted: Wanted
    written: Written | None


def plan(
    project: Project, variants: Sequence[Variant], earlier: Mapping[str, Entry], where: Address
) -> list[Item]:
    """Return the ZIPs to publish; nothing is built.

    Raises:
        PublishError: a ZIP is out of date, or not the recorded one; the message lists all.

    """
    items, problems = [], list[str]()
    known = versions(earlier, where)
    for variant in variants:
        try:
            items.append(_item(project, variant, known))
        except BuildError as error:
            problems.append(str(error))
    if problems:
        msg = "\n".join([*problems, "Nothing was published."])
        raise PublishError(msg)
    return items


def check_place(path: Path, kept: Mapping[str, Entry], where: Address) -> None:
    """Refuse to add objects of another bucket or prefix to the entries that a list keeps.

    Raises:
        PublishError: none of these entries is at the address.

    """
    places = {Address(one["s3_bucket"], one["s3_key"].rpartition("/")[0]) for one in kept.values()}
    if places and where not in places:
        urls = ", ".join(sorted(one.url for one in places))
        msg = (
            f"{published.shown(path)} keeps {', '.join(sorted(kept))} in {urls}, and {where.url} "
            "is another place; leave out the names to list all functions there, or write another "
            "list: '--list lambdas.published.<name>.json'"
        )
        raise PublishError(msg)


def versions(earlier: Mapping[str, Entry], where: Address) -> dict[str, Entry]:
    """Return the entries of an earlier list whose objects are at an address, by their sha256."""
    return {
        one["sha256"]: one
        for one in earlier.values()
        if (one["s3_bucket"], one["s3_key"]) == (where.bucket, where.key(one["sha256"]))
    }


def _item(project: Project, variant: Variant, known: Mapping[str, Entry]) -> Item:
    """Return the ZIP of a variant to publish.

    Raises:
        BuildError: its ZIP is out of date, or not the recorded one.

    """
    written = project.status(variant).written
    path = project.layout.zip(variant.id)
    recorded = _recorded(project, variant)
    if written is not None:
        if recorded:
            key = project.inputs(variant).key
            hashes.check(project.recorded(), variant, key, written.sha256)
        entry = known.get(written.sha256, {})
        version, size = entry.get("s3_object_version"), written.size
        return Item(variant, Wanted(written.sha256, path, version, size), written)
    if not recorded:
        shown = project.layout.relative_zip(variant.id)
        problem = "is out of date" if path.exists() else "does not exist"
        msg = f"{shown} {problem}; run 'lambdas build {variant.id}'"
        raise PublishError(msg)
    # The record says which bytes these inputs give, so the object is enough.
    entry = known.get(recorded, {})
    wanted = Wanted(recorded, None, entry.get("s3_object_version"), entry.get("size"))
    return Item(variant, wanted, published.written(entry) if entry else None)


def _recorded(project: Project, variant: Variant) -> str:
    """Return the recorded sha256 of the present inputs; empty without a record.

    Raises:
        PublishError: the record is of other inputs.

    """
    if not project.layout.hashes.exists():
        return ""
    recorded = project.recorded().get(variant.id)
    if recorded is None or recorded["key"] != project.inputs(variant).key:
        problem = "has no entry" if recorded is None else "has the hash of other inputs"
        msg = (
            f"lambdas.hashes.json {problem} for '{variant.id}'; run 'lambdas record' and commit "
            "the file"
        )
        raise PublishError(msg)
    return recorded["sha256"]
