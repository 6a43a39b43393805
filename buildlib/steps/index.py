"""The step `index`: dist/ holds only declared artifacts."""

from collections.abc import Collection, Mapping

from buildlib.artifacts import index
from buildlib.layout import Layout


def undeclared(entries: Mapping[str, index.Entry], declared: Collection[str]) -> list[str]:
    """Return the ids of the artifacts that the manifest no longer declares."""
    return [variant_id for variant_id in entries if variant_id not in declared]


def prune(layout: Layout, declared: Collection[str]) -> None:
    """Remove undeclared artifacts."""
    for variant_id in undeclared(index.read(layout), declared):
        index.withdraw(layout, variant_id)
