"""The evidence next to a ZIP, if a function wants it; a part of the steps `zip` and `hash`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from buildlib import __version__, recipe
from buildlib.cache.digests import Digests
from buildlib.files import atomic, records
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.project.inputs import Inputs
from buildlib.project.project import Project

if TYPE_CHECKING:
    from buildlib.artifacts.bill import Layer


def layers(project: Project, variant: Variant) -> "Sequence[Layer]":
    """Return the layers that the evidence of a function names, each as it is now.

    Raises:
        BuildError: the inputs of a layer cannot be worked out.

    """
    if not (variant.function.evidence and variant.function.layers):
        return ()
    from buildlib.artifacts.bill import Layer

    return [
        Layer(
            one,
            project.inputs(one).recipe,
            project.status(one).written,
            project.layout.zip(one.id),
        )
        for one in project.layer_variants(variant)
    ]


def make(
    inputs: Inputs, written: Written, path: Path, layout: Layout, layers: "Sequence[Layer]"
) -> dict[Path, bytes]:
    """Return the evidence of the ZIP at `path`, by the files that it belongs into."""
    variant = inputs.variant
    if not variant.function.evidence:
        return {}
    from buildlib.artifacts import evidence  # 10 ms, and it is off by default

    return evidence.make(layout, variant, inputs.recipe, written, path, layers)


def stamp(
    inputs: Inputs,
    written: Written,
    layout: Layout,
    digests: Digests,
    layers: "Sequence[Layer]",
) -> None:
    """Note the evidence that was just published, so that it need not be made again."""
    if inputs.variant.function.evidence:
        state = _state(inputs, written, layout, digests, layers)
        records.write(layout.stamp("evidence", inputs.variant.id), state)


def is_complete(
    inputs: Inputs,
    written: Written,
    layout: Layout,
    digests: Digests,
    layers: "Sequence[Layer]",
) -> bool:
    """Tell whether the evidence of a ZIP is as it was made."""
    noted = records.read(layout.stamp("evidence", inputs.variant.id), records.sequence)
    try:
        return bool(noted == _state(inputs, written, layout, digests, layers))
    except FileNotFoundError:
        return False


def is_absent(variant: Variant, layout: Layout) -> bool:
    """Tell whether no evidence is there, as it should be where none is wanted."""
    return not any(map(os.path.lexists, layout.evidence(variant.id)))


def clean(layout: Layout, variant_id: str) -> None:
    """Forget the evidence of a variant."""
    atomic.remove(layout.stamp("evidence", variant_id))


def _state(
    inputs: Inputs,
    written: Written,
    layout: Layout,
    digests: Digests,
    layers: "Sequence[Layer]",
) -> list[str]:
    """Return the sources of the evidence, and the sha256 of its files.

    Another version of this package may write other evidence about the same ZIP, and names itself.
    """
    paths = map(str, layout.evidence(inputs.variant.id))
    used = [
        f"{one.variant.id} {recipe.key(one.inputs)} {one.written.sha256 if one.written else ''}"
        for one in layers
    ]
    found = (digests.sha256_of(path, os.stat(path)) for path in paths)
    return [inputs.key, written.sha256, __version__, *used, *found]
