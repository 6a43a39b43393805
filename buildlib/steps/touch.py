"""The step `touch`: one mtime and one mode for every file of a staged tree."""

from buildlib.layout import Layout
from buildlib.steps.stage import Staged
from buildlib.tree import metadata


def touch(staged: Staged, layout: Layout, variant_id: str) -> None:
    """Give the staged files their canonical metadata, and then the folder of the tree."""
    metadata.touch(layout.staged(variant_id), staged.to_touch)


def clean(layout: Layout, variant_id: str) -> None:
    """Forget that a staged tree has canonical metadata."""
    metadata.forget(layout.staged(variant_id))
