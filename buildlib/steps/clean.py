"""Undo the steps of a variant, as `doit clean` asks."""

import contextlib

from buildlib.artifacts import index
from buildlib.errors import BuildError
from buildlib.files import atomic
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import hash as description
from buildlib.steps import stage, touch, venv
from buildlib.steps import zip as archive


def clean(project: Project, variant: Variant, step: str) -> None:
    """Remove the result of a step for a variant."""
    layout = project.layout
    if step == "venv":
        with contextlib.suppress(BuildError):  # without a lockfile no environment has a key
            venv.clean(project.inputs(variant), layout)
        atomic.remove(layout.log("venv", variant.id))
    elif step == "stage":
        stage.clean(layout, variant.id)
    elif step == "touch":
        touch.clean(layout, variant.id)
    elif step == "zip":
        index.withdraw(layout, variant.id, declared=variant)
        if not project.cache.is_shared:
            with contextlib.suppress(BuildError):
                project.cache.store.discard(project.inputs(variant).key)
        archive.clean(layout, variant.id)
    else:
        description.clean(layout, variant)
