"""The steps `stage` and `touch`: environment and sources to a canonical tree."""

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib import recipe
from buildlib.cache import digests
from buildlib.errors import ArchiveError, InstallError, StageError
from buildlib.files import atomic, locks
from buildlib.model import File, Origin, Variant
from buildlib.project.project import Project
from buildlib.steps.venv import check_platform, environment_files, environment_problems, make_venv
from buildlib.tree import handler, merge, metadata, patterns, sync


class Staged(NamedTuple):
    """What is in the staged tree of a variant, as the step `stage` left it.

    `key` is that of its inputs, `own` are the function's own files. `dependencies` is the sha256 of
    the list of the others. `frame` stands for all that decides which files there are, and for the
    contents of those that are not the function's own; it is empty if more has to be looked at.
    """

    key: str
    own: list[Origin]
    dependencies: str
    frame: str
    made: list[str]
    checked: list[object]


def stage_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the tree of the present inputs is there, whole and touched, or not needed."""
    return project.is_available(variant) or _is_ready(project, variant)


def make_stage(project: Project, variant: Variant) -> None:
    """Put the tree together, with the list of what is in it and where each file is from."""
    with tree_locked(project, variant):
        if not _is_ready(project, variant):  # another run may have been faster
            _stage(project, variant)


def tree_locked(project: Project, variant: Variant) -> contextlib.AbstractContextManager[None]:
    """Hold a variant's staged tree against other runs."""
    return locks.locked(project.layout.lock(f"stage-{variant.id}"))


def _stage(project: Project, variant: Variant) -> None:
    own, earlier = project.sources(variant.function), staged(project, variant)
    checked = _check_credentials(project, variant, own, earlier)
    try:
        if earlier is not None and _fits(project, variant, own, earlier):
            now = _stage_own(project, variant, own, earlier)
        else:
            now = _stage_all(project, variant, own, earlier)
    except StageError as error:
        if error.kind == "changed":  # or its digest was remembered wrongly
            project.digests.forget()
        raise
    now = now._replace(checked=checked)
    rows = [(*origin.file, origin.path) for origin in now.own]
    # `made` is what `touch` has to do; what was there before is canonical already.
    atomic.write_json(project.layout.stamp("stage", variant.id), now._asdict() | {"own": rows})


def _fits(project: Project, variant: Variant, own: Sequence[Origin], earlier: Staged) -> bool:
    """Tell whether a tree differs from what it should be in the contents of own files only."""
    names = [origin.file.path for origin in own]
    return (
        earlier.frame == _frame(project, variant, names) != ""
        and is_touched(project, variant, earlier.key)
        and sync.has_folders(project.layout.staged(variant.id), names)
    )


def _stage_own(project: Project, variant: Variant, own: list[Origin], earlier: Staged) -> Staged:
    """Put what changed of a function's own files into its tree; all else is as it was."""
    _begin(project, variant)
    tree = project.layout.staged(variant.id)
    made = sync.sync(
        own,
        {},
        tree,
        previous={origin.file.path: origin.file.sha256 for origin in earlier.own},
        root=project.layout.root,
        environment=tree,
        whole=False,
    )
    handler.check_handler(variant, own, tree)
    return earlier._replace(key=project.key(variant), own=own, made=made)


def _stage_all(
    project: Project, variant: Variant, own: list[Origin], earlier: Staged | None
) -> Staged:
    """Put together all that belongs into a tree, and remove what does not."""
    layout, environment_key = project.layout, recipe.key(project.environment(variant))
    environment = layout.environment(environment_key)
    installed = environment_files(project, environment_key)
    if installed is None:
        make_venv(project, variant)
        installed = environment_files(project, environment_key) or []
    check_platform(variant, environment / "tree", environment_problems(project, environment_key))
    origins, rewritten = merge.merge(variant.function, own, installed, environment / "tree")
    previous = _previous(project, variant, earlier)
    _begin(project, variant)
    try:
        made = sync.sync(
            origins,
            rewritten,
            layout.staged(variant.id),
            previous=previous,
            root=layout.root,
            environment=environment / "tree",
        )
    except FileNotFoundError as error:
        if Path(error.filename).is_relative_to(environment):
            atomic.remove(environment)
            msg = f"{layout.relative(environment)} was damaged and is removed; run doit again"
            raise InstallError(msg, "environment-damaged") from error
        raise
    module = handler.check_handler(variant, origins, layout.staged(variant.id))
    kept = [origin for origin in origins if not origin.dependency]
    names = [origin.file.path for origin in own]
    alone = len(kept) == len(own) and module in names
    others = [origin.file for origin in origins if origin.dependency]
    content = json.dumps(others, separators=(",", ":")).encode()
    atomic.write(list_of_dependencies(project, variant), content)
    return Staged(
        key=project.key(variant),
        own=kept,
        dependencies=hashlib.sha256(content).hexdigest(),
        frame=_frame(project, variant, names) if alone else "",
        made=made,
        checked=[],
    )


def _previous(project: Project, variant: Variant, earlier: Staged | None) -> dict[str, str]:
    """Return the sha256 of what was staged, by its path."""
    if earlier is None:
        return {}
    found = [origin.file for origin in earlier.own]
    found += read_list(list_of_dependencies(project, variant), earlier.dependencies) or []
    return {file.path: file.sha256 for file in found}


def _begin(project: Project, variant: Variant) -> None:
    """Forget what a tree is: until it is whole again, nothing says that it is."""
    project.layout.stamp("stage", variant.id).unlink(missing_ok=True)
    project.layout.stamp("touch", variant.id).unlink(missing_ok=True)


def _frame(project: Project, variant: Variant, names: Sequence[str]) -> str:
    """Return what stands for the frame of a tree (see `Staged`)."""
    function, key = variant.function, recipe.key(project.environment(variant))
    try:
        installed = os.stat(project.layout.environment(key) / "record.json")
    except FileNotFoundError:
        return ""
    return recipe.key({
        "environment": [key, *digests.signature(installed)],
        "exclude": list(function.exclude),
        "handler": function.handler,
        "names": list(names),
    })  # fmt: skip


def _check_credentials(
    project: Project, variant: Variant, own: Sequence[Origin], earlier: Staged | None
) -> list[object]:
    """Stop if a function would ship credentials; return by which rules it was looked at.

    Files that are staged already by the same rules are not looked at again.
    """
    from buildlib.tree import secrets  # 5 ms, only when something is staged

    function = variant.function
    rules = [secrets.RULES, *function.allow_secrets]
    same = earlier is not None and earlier.checked == rules
    known = {origin.file for origin in earlier.own} if earlier and same else set()
    found = secrets.find(own, project.layout.root, known)
    if found and function.allow_secrets:
        is_allowed = patterns.matcher(function, "allow_secrets", function.allow_secrets)
        found = {name: problem for name, problem in found.items() if not is_allowed(name)}
    secrets.refuse(function, found)
    return rules


def clean_stage(project: Project, variant: Variant) -> None:
    """Remove the staged tree of a variant."""
    atomic.remove(project.layout.stamp("stage", variant.id))
    atomic.remove(list_of_dependencies(project, variant))
    atomic.remove(project.layout.staged(variant.id))


def touch_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the staged tree has the canonical metadata, or is not needed."""
    return project.is_available(variant) or is_touched(project, variant, project.key(variant))


def make_touch(project: Project, variant: Variant) -> None:
    """Give every staged file the one mtime and mode."""
    with tree_locked(project, variant):
        _touch(project, variant)


def _touch(project: Project, variant: Variant) -> None:
    key, now = project.key(variant), staged(project, variant)
    if now is None or now.key != key:
        _stage(project, variant)
        now = staged(project, variant)
    metadata.touch(project.layout.staged(variant.id), now.made if now else [])
    atomic.write_json(project.layout.stamp("touch", variant.id), {"key": key})


def clean_touch(project: Project, variant: Variant) -> None:
    """Forget that the staged tree is canonical."""
    atomic.remove(project.layout.stamp("touch", variant.id))


def staged(project: Project, variant: Variant) -> Staged | None:
    """Return what is staged, of whatever inputs; None if nothing is known of it."""
    record = project.record(project.layout.stamp("stage", variant.id))
    if record is None or record.keys() != set(Staged._fields):
        return None
    own = [Origin(File(*row[:3]), row[3], dependency=False) for row in record["own"]]
    return Staged(**record | {"own": own})


def dependencies(project: Project, variant: Variant, tree: Staged) -> list[File]:
    """Return the files of dependencies in a staged tree.

    Raises:
        ArchiveError: the list of them is lost.

    """
    path = list_of_dependencies(project, variant)
    found = read_list(path, tree.dependencies)
    if found is None:
        shown = project.layout.relative(path)
        msg = f"{shown}: gone or damaged; run doit again to stage {variant.id} anew"
        raise ArchiveError(msg, "changed")
    return found


def list_of_dependencies(project: Project, variant: Variant) -> Path:
    """Return where the list of the files of dependencies in a staged tree is."""
    return project.layout.stamp("stage", f"{variant.id}.dependencies")


def read_list(path: Path, sha256: str) -> list[File] | None:
    """Return a list of files; None if it is not there, or another one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if hashlib.sha256(content).hexdigest() != sha256:
        return None
    return list(itertools.starmap(File, json.loads(content)))


def is_touched(project: Project, variant: Variant, key: str) -> bool:
    """Tell whether the staged tree of the inputs with a key has been touched."""
    stamp = atomic.read_json(project.layout.stamp("touch", variant.id))
    return isinstance(stamp, dict) and stamp.get("key") == key


def _is_ready(project: Project, variant: Variant) -> bool:
    """Tell whether the tree of the present inputs is there, whole and touched."""
    key, now = project.key(variant), staged(project, variant)
    if now is None or now.key != key or not is_touched(project, variant, key):
        return False
    others = read_list(list_of_dependencies(project, variant), now.dependencies)
    if others is None:
        return False
    origins = now.own + [Origin(file, file.path, dependency=True) for file in others]
    environment = project.layout.environment(recipe.key(project.environment(variant))) / "tree"
    return sync.intact(project.layout.staged(variant.id), origins, environment)


def stage_and_touch(project: Project, variant: Variant) -> Staged:
    """Put the tree together under a lock that is held already, and return what is in it."""
    _stage(project, variant)
    _touch(project, variant)
    now = staged(project, variant)
    if now is None or now.key != project.key(variant):
        shown = project.layout.relative(project.layout.staged(variant.id))
        msg = f"{shown}: something else writes there; run doit again"
        raise StageError(msg, "changed")
    return now
