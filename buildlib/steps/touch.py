"""The step `touch`: one mtime and one mode for every file of a staged tree."""

from buildlib.files import atomic, records
from buildlib.layout import Layout
from buildlib.steps.stage import Staged
from buildlib.tree import metadata

_SHAPE = records.fields(key=records.sha256, run=records.text)


def touch(staged: Staged, layout: Layout, variant_id: str, run: str) -> None:
    """Give the staged files their canonical metadata, and leave a stamp."""
    metadata.touch(layout.staged(variant_id), staged.to_touch)
    records.write(layout.stamp("touch", variant_id), {"key": staged.key, "run": run})


def is_touched(layout: Layout, variant_id: str, key: str) -> bool:
    """Tell whether the staged tree of the inputs with a key has canonical metadata."""
    stamp = records.read(layout.stamp("touch", variant_id), _SHAPE)
    return stamp is not None and stamp["key"] == key


def clean(layout: Layout, variant_id: str) -> None:
    """Forget that a staged tree has canonical metadata."""
    atomic.remove(layout.stamp("touch", variant_id))
