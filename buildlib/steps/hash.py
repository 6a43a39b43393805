"""The step `hash`, which repairs: the descriptions of a ZIP in dist/, or a ZIP that the cache has.

`zip` publishes a ZIP together with its descriptions, so in most runs nothing is left to do.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from buildlib.artifacts import index, limits
from buildlib.artifacts.listing import Listing
from buildlib.cache.digests import Digests
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.project.inputs import Inputs
from buildlib.steps import evidence

if TYPE_CHECKING:
    from buildlib.artifacts.bill import Layer


def publish(  # noqa: PLR0913 - a description has these parts
    inputs: Inputs,
    written: Written,
    layout: Layout,
    digests: Digests,
    listing: Listing,
    *,
    declared: Iterable[Variant],
    layers: "Sequence[Layer]" = (),
    new: Path | None = None,
) -> None:
    """Describe the ZIP in dist/ after the file `new`, if given, took its place.

    `layers` are those that its evidence names.
    """
    path = new or layout.zip(inputs.variant.id)
    files = evidence.make(inputs, written, path, layout, layers)
    listing.publish(inputs.variant, written, new=new, evidence=files, declared=declared)
    evidence.stamp(inputs, written, layout, digests, layers)


def listing_problem(
    variant: Variant, written: Written, listed: index.Entry | None, layout: Layout
) -> str | None:
    """Return why a ZIP must not stay as it is listed, without reading any of its files."""
    if not limits.fits(variant, written):
        return "it is larger than its limit"
    if not index.is_listed(layout, variant, written, listed):
        return "its entry in dist/lambdas.json is out of date"
    return None


def file_problem(
    inputs: Inputs,
    written: Written,
    layout: Layout,
    digests: Digests,
    layers: "Sequence[Layer]",
) -> str | None:
    """Return which of the files that describe a ZIP is out of date."""
    variant = inputs.variant
    if not index.has_checksum(layout, variant, written):
        return f"{layout.relative(layout.checksum(variant.id))} is out of date"
    if not variant.function.evidence:
        return (
            None
            if evidence.is_absent(variant, layout)
            else "'evidence' is off, but evidence exists"
        )
    if not evidence.is_complete(inputs, written, layout, digests, layers):
        return "its evidence is out of date"
    return None


def clean(layout: Layout, variant: Variant) -> None:
    """Remove the descriptions of a variant's ZIP."""
    index.withdraw(layout, variant.id, zip_too=False, declared=variant)
    evidence.clean(layout, variant.id)
