"""The evidence next to a ZIP, if a function wants it; a part of the steps `zip` and `hash`."""

import os
from pathlib import Path

from buildlib.cache.digests import Digests
from buildlib.files import atomic, records
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.project.inputs import Inputs


def make(inputs: Inputs, written: Written, path: Path, layout: Layout) -> dict[Path, bytes]:
    """Return the evidence of the ZIP at `path`, by the files that it belongs into."""
    variant = inputs.variant
    if not variant.function.evidence:
        return {}
    from buildlib.artifacts import evidence  # 10 ms, and it is off by default

    return evidence.make(layout, variant, inputs.recipe, written, path)


def stamp(inputs: Inputs, written: Written, layout: Layout, digests: Digests) -> None:
    """Note the evidence that was just published, so that it need not be made again."""
    if inputs.variant.function.evidence:
        state = _state(inputs.variant, inputs.key, written, layout, digests)
        records.write(layout.stamp("evidence", inputs.variant.id), state)


def is_complete(
    variant: Variant, key: str, written: Written, layout: Layout, digests: Digests
) -> bool:
    """Tell whether the evidence of a ZIP is as it was made."""
    noted = records.read(layout.stamp("evidence", variant.id), records.sequence)
    try:
        return bool(noted == _state(variant, key, written, layout, digests))
    except FileNotFoundError:
        return False


def is_absent(variant: Variant, layout: Layout) -> bool:
    """Tell whether no evidence is there, as it should be where none is wanted."""
    return not any(map(os.path.lexists, layout.evidence(variant.id)))


def clean(layout: Layout, variant_id: str) -> None:
    """Forget the evidence of a variant."""
    atomic.remove(layout.stamp("evidence", variant_id))


def _state(
    variant: Variant, key: str, written: Written, layout: Layout, digests: Digests
) -> list[str]:
    paths = map(str, layout.evidence(variant.id))
    return [key, written.sha256, *(digests.sha256_of(path, os.stat(path)) for path in paths)]
