"""The steps `stage` and `touch`: environment and sources to a canonical tree."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from buildlib import files, normalise, recipe, stage
from buildlib.errors import InstallError, StageError
from buildlib.model import File, Origin, Variant
from buildlib.project import Project
from buildlib.steps.environments import (
    check_platform,
    environment_files,
    environment_problems,
    make_venv,
)


def stage_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the tree of the present inputs is there, whole and touched, or not needed."""
    return project.is_available(variant) or _ready(project, variant) is not None


def make_stage(project: Project, variant: Variant) -> None:
    """Put the tree together, with the list of what is in it and where each file is from."""
    with tree_locked(project, variant):
        if _ready(project, variant) is None:  # another run may have been faster
            _stage(project, variant)


def tree_locked(project: Project, variant: Variant) -> contextlib.AbstractContextManager[None]:
    """Hold a variant's staged tree against other runs."""
    return files.locked(project.layout.lock(f"stage-{variant.id}"))


def _stage(project: Project, variant: Variant) -> None:
    layout = project.layout
    key, environment_key = project.key(variant), recipe.key(project.environment(variant))
    environment = layout.environment(environment_key)
    dependencies = environment_files(project, environment_key)
    if dependencies is None:
        make_venv(project, variant)
        dependencies = environment_files(project, environment_key) or []
    check_platform(variant, environment / "tree", environment_problems(project, environment_key))
    own = project.sources(variant.function)
    origins, rewritten = stage.merge(variant.function, own, dependencies, environment / "tree")
    stamp, tree = layout.stamp("stage", variant.id), layout.staged(variant.id)
    earlier = staged(project, variant, None) or []
    checked = _check_credentials(project, variant, own, earlier)
    # Until the tree is whole again, nothing says that it is.
    stamp.unlink(missing_ok=True)
    layout.stamp("touch", variant.id).unlink(missing_ok=True)
    try:
        made = stage.sync(
            origins,
            rewritten,
            tree,
            previous={origin.file.path: origin.file.sha256 for origin in earlier},
            root=layout.root,
            environment=environment / "tree",
        )
    except FileNotFoundError as error:
        if Path(error.filename).is_relative_to(environment):
            files.remove(environment)
            msg = f"{layout.relative(environment)} was damaged and is removed; run doit again"
            raise InstallError(msg, "environment-damaged") from error
        raise
    stage.check_handler(variant, origins, tree)
    rows = [(*origin.file, origin.path, origin.dependency) for origin in origins]
    # `made` is what `touch` has to do; what was there before is canonical already.
    files.write_json(stamp, {"key": key, "files": rows, "made": made, "checked": checked})


def _check_credentials(
    project: Project, variant: Variant, own: Sequence[Origin], earlier: Sequence[Origin]
) -> list[object]:
    """Stop if a function would ship credentials; return by which rules it was looked at.

    Files that are staged already by the same rules are not looked at again.
    """
    from buildlib import credentials  # noqa: PLC0415 - 5 ms, only when something is staged

    function = variant.function
    rules = [credentials.RULES, *function.allow_secrets]
    record = project.record(project.layout.stamp("stage", variant.id)) or {}
    same = record.get("checked") == rules
    known = {origin.file for origin in earlier if same and not origin.dependency}
    found = credentials.find(own, project.layout.root, known)
    if found and function.allow_secrets:
        is_allowed = stage.matcher(function, "allow_secrets", function.allow_secrets)
        found = {name: problem for name, problem in found.items() if not is_allowed(name)}
    credentials.refuse(function, found)
    return rules


def clean_stage(project: Project, variant: Variant) -> None:
    """Remove the staged tree of a variant."""
    files.remove(project.layout.stamp("stage", variant.id))
    files.remove(project.layout.staged(variant.id))


def touch_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the staged tree has the canonical metadata, or is not needed."""
    return project.is_available(variant) or is_touched(project, variant)


def make_touch(project: Project, variant: Variant) -> None:
    """Give every staged file the one mtime and mode."""
    with tree_locked(project, variant):
        _touch(project, variant)


def _touch(project: Project, variant: Variant) -> None:
    path = project.layout.stamp("stage", variant.id)
    record = project.record(path)
    if record is None or record.get("key") != project.key(variant):
        _stage(project, variant)
        record = project.record(path) or {}
    normalise.touch(project.layout.staged(variant.id), record["made"])
    stamp = project.layout.stamp("touch", variant.id)
    files.write_json(stamp, {"key": project.key(variant)})


def clean_touch(project: Project, variant: Variant) -> None:
    """Forget that the staged tree is canonical."""
    files.remove(project.layout.stamp("touch", variant.id))


def staged(project: Project, variant: Variant, key: str | None) -> list[Origin] | None:
    """Return what is staged, if it is of the inputs with this key; None stands for any."""
    record = project.record(project.layout.stamp("stage", variant.id))
    if record is None or "made" not in record or (key and record["key"] != key):
        return None
    return [
        Origin(File(path, digest, size), origin, dependency)
        for path, digest, size, origin, dependency in record["files"]
    ]


def is_touched(project: Project, variant: Variant) -> bool:
    """Tell whether the staged tree of the present inputs has been touched."""
    stamp = files.read_json(project.layout.stamp("touch", variant.id))
    return isinstance(stamp, dict) and stamp.get("key") == project.key(variant)


def _ready(project: Project, variant: Variant) -> list[Origin] | None:
    """Return what is in the tree of the present inputs, if it is whole and touched."""
    listing = staged(project, variant, project.key(variant))
    if listing is None or not is_touched(project, variant):
        return None
    tree = project.layout.staged(variant.id)
    environment = project.layout.environment(recipe.key(project.environment(variant))) / "tree"
    return listing if stage.intact(tree, listing, environment) else None


def stage_and_touch(project: Project, variant: Variant) -> list[Origin]:
    """Put the tree together under a lock that is held already, and return what is in it."""
    _stage(project, variant)
    _touch(project, variant)
    listing = staged(project, variant, project.key(variant))
    if listing is None:
        shown = project.layout.relative(project.layout.staged(variant.id))
        msg = f"{shown}: something else writes there; run doit again"
        raise StageError(msg, "changed")
    return listing
