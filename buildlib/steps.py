"""The steps, from the lock to the published ZIP; each can tell whether it has anything to do.

They are plain functions of a project and a variant and know nothing of doit. Each leaves a record
of its own when it has finished, so that a run that was killed is taken up where it ended. No step
before `zip` has anything to do while the ZIP of the present inputs is there.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildlib import archive, files, lock, normalise, pack, recipe, stage
from buildlib.archive import Written
from buildlib.errors import ArchiveError, BuildError, InstallError, LockError, StageError
from buildlib.install import docker, wheels
from buildlib.model import Docker, File, Function, Image, Origin, Packed, Variant
from buildlib.outputs import index
from buildlib.project import Project

_logger = logging.getLogger(__name__)

# -- lock ------------------------------------------------------------------------------------------


def lock_is_done(project: Project, function: Function) -> bool:
    """Tell whether the lock was made from the present requirements."""
    requirements = project.requirements(function)
    if requirements is None or function.lock is None:
        return True
    python = project.lowest_python(function)
    path = project.layout.root / function.lock
    return lock.is_current(path, requirements, python) and not project.unpinned_images(function)


def make_lock(project: Project, function: Function, *, renew: bool) -> None:
    """Make the lock; with `renew`, newer versions are taken if it was current already."""
    requirements = project.requirements(function)
    if requirements is None or function.lock is None:
        return
    root, python = project.layout.root, project.lowest_python(function)
    path = root / function.lock
    problem = lock.state(path, requirements, python)
    unpinned = project.unpinned_images(function)
    if problem is None and unpinned:
        problem = f"has no digest of the image {unpinned[0].name}"
    if problem is None and not renew:
        return  # doit's state did not know the task: that is no reason to resolve anew
    if not renew and lock.is_frozen(project.manifest.frozen, os.environ):
        why = "the manifest says 'frozen'" if project.manifest.frozen else "CI is set"
        msg = (
            f"{function.lock}: the lock {problem}, and {why}, so it is not made here; "
            f"run 'doit lock:{function.name}' and commit the file"
        )
        raise LockError(msg)
    log = project.layout.log("lock", function.name)
    log.unlink(missing_ok=True)
    upgrade = problem is None
    images = _pin_images(project, function, keep=not upgrade)
    lock.make(root, path, requirements, python, upgrade=upgrade, images=images, log=log)


def _pin_images(project: Project, function: Function, *, keep: bool) -> list[Image]:
    """Return the images of a lock with their digests, as the engine or the registry gives them."""
    pinned = {image[:3]: image for image in project.pinned_images(function)} if keep else {}
    found = []
    for image in project.wanted_images(function):
        if image[:3] in pinned:
            found.append(pinned[image[:3]])
        else:
            reference = docker.resolve(function, image.architecture, image.name)
            found.append(image._replace(reference=reference))
    return found


# -- venv ------------------------------------------------------------------------------------------


def venv_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the dependencies are installed, or not needed."""
    if project.is_available(variant):
        return True
    return _environment_files(project, recipe.key(project.environment(variant))) is not None


def make_venv(project: Project, variant: Variant) -> None:
    """Install the dependencies of a variant, once for all variants that have the same."""
    layout = project.layout
    dependencies = project.environment(variant)
    key = recipe.key(dependencies)
    folder = layout.environment(key)
    with files.locked(layout.lock(f"env-{folder.name}")):
        if _environment_files(project, key) is not None:
            return
        files.remove(folder)
        for leftover in folder.parent.glob(f"{folder.name}.*"):
            files.remove(leftover)
        temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
        tree = temporary / "tree"
        tree.mkdir(parents=True)
        try:
            installed = _installed(project, variant, tree)
            record = {"key": key, "recipe": dependencies, "files": installed}
            files.write_json(temporary / "record.json", record)
            temporary.rename(folder)
        finally:
            files.remove(temporary)


def _installed(project: Project, variant: Variant, tree: Path) -> list[File]:
    """Install the pins of a variant into an empty folder, and return what is there."""
    _install(project, variant, tree)
    installed = normalise.environment(tree)
    if installed.damaged and not variant.function.docker:
        # Someone wrote to a file in uv's cache, or a wheel has a wrong RECORD: what comes straight
        # from the index was checked against the lock as a whole.
        shown = ", ".join(installed.damaged[:3])
        _logger.warning("%s: not what the wheel holds (%s); downloading again", variant.id, shown)
        files.remove(tree)
        tree.mkdir()
        _install(project, variant, tree, fresh=True)
        installed = normalise.environment(tree)
    return installed.files


def _install(project: Project, variant: Variant, tree: Path, *, fresh: bool = False) -> None:
    layout = project.layout
    requirements = project.requirements(variant.function)
    indexes = requirements.indexes if requirements else ()
    log = layout.log("venv", variant.id)
    pins = project.pins(variant)
    if variant.function.docker:
        image = project.image(variant)
        docker.install(variant, pins, tree, image, layout=layout, indexes=indexes, log=log)
    else:
        cache = layout.build / "sdist-cache"
        wheels.install(
            variant,
            pins,
            tree,
            root=layout.root,
            indexes=indexes,
            cache=cache,
            log=log,
            fresh=fresh,
        )


def buildable(project: Project) -> list[Variant]:
    """Return the variants that are installed in a container and can be, or have no need to be.

    An engine is asked only if there is something to do, and once; what is left out for want of
    one is said once.
    """
    problems: dict[tuple[str, Docker | None], str | None] = {}
    found, left_out = [], {}
    for variant in project.variants.values():
        function = variant.function
        if function.docker is None:
            continue
        if not _needs_engine(project, variant):
            found.append(variant)
            continue
        place = (variant.architecture, Docker(engine=function.docker.engine))
        if place not in problems:
            problems[place] = docker.answers(function, variant.architecture)
        if problems[place] is None:
            found.append(variant)
        else:
            left_out[variant.id] = problems[place]
    if left_out:
        _logger.warning("%s\nLeft out: %s.", next(iter(left_out.values())), ", ".join(left_out))
    return found


def _needs_engine(project: Project, variant: Variant) -> bool:
    """Tell whether something has to be pinned or installed in a container."""
    try:
        return not (lock_is_done(project, variant.function) and venv_is_done(project, variant))
    except BuildError:
        return True


def clean_venv(project: Project, variant: Variant) -> None:
    """Remove the environment of a variant, and what was compressed of it."""
    with contextlib.suppress(LockError):
        key = recipe.key(project.environment(variant))
        files.remove(project.layout.environment(key))
        pack.discard(project.layout.pack(f"env-{key[:24]}"))
    files.remove(project.layout.log("venv", variant.id))


def _environment_files(project: Project, key: str) -> list[File] | None:
    record = project.record(project.layout.environment(key) / "record.json")
    if record is None or record.get("key") != key:
        return None
    return [File(*row) for row in record["files"]]


# -- stage and touch -------------------------------------------------------------------------------


def stage_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the tree of the present inputs is there, whole and touched, or not needed."""
    return project.is_available(variant) or _ready(project, variant) is not None


def make_stage(project: Project, variant: Variant) -> None:
    """Put the tree together, with the list of what is in it and where each file is from."""
    with _tree_locked(project, variant):
        if _ready(project, variant) is None:  # another run may have been faster
            _stage(project, variant)


def _tree_locked(project: Project, variant: Variant) -> contextlib.AbstractContextManager[None]:
    return files.locked(project.layout.lock(f"stage-{variant.id}"))


def _stage(project: Project, variant: Variant) -> None:
    layout = project.layout
    key, environment_key = project.key(variant), recipe.key(project.environment(variant))
    environment = layout.environment(environment_key)
    dependencies = _environment_files(project, environment_key)
    if dependencies is None:
        make_venv(project, variant)
        dependencies = _environment_files(project, environment_key) or []
    own = project.sources(variant.function)
    origins, rewritten = stage.merge(variant.function, own, dependencies, environment / "tree")
    stamp, tree = layout.stamp("stage", variant.id), layout.staged(variant.id)
    earlier = _staged(project, variant, None) or []
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
            raise InstallError(msg) from error
        raise
    stage.check_handler(variant, origins, tree)
    rows = [(*origin.file, origin.path, origin.dependency) for origin in origins]
    # `made` is what `touch` has to do; what was there before is canonical already.
    files.write_json(stamp, {"key": key, "files": rows, "made": made})


def clean_stage(project: Project, variant: Variant) -> None:
    """Remove the staged tree of a variant."""
    files.remove(project.layout.stamp("stage", variant.id))
    files.remove(project.layout.staged(variant.id))


def touch_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the staged tree has the canonical metadata, or is not needed."""
    return project.is_available(variant) or _touched(project, variant)


def make_touch(project: Project, variant: Variant) -> None:
    """Give every staged file the one mtime and mode."""
    with _tree_locked(project, variant):
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


def _staged(project: Project, variant: Variant, key: str | None) -> list[Origin] | None:
    """Return what is staged, if it is of the inputs with this key; None stands for any."""
    record = project.record(project.layout.stamp("stage", variant.id))
    if record is None or "made" not in record or (key and record["key"] != key):
        return None
    return [
        Origin(File(path, digest, size), origin, dependency)
        for path, digest, size, origin, dependency in record["files"]
    ]


def _touched(project: Project, variant: Variant) -> bool:
    stamp = files.read_json(project.layout.stamp("touch", variant.id))
    return isinstance(stamp, dict) and stamp.get("key") == project.key(variant)


def _ready(project: Project, variant: Variant) -> list[Origin] | None:
    """Return what is in the tree of the present inputs, if it is whole and touched."""
    listing = _staged(project, variant, project.key(variant))
    if listing is None or not _touched(project, variant):
        return None
    tree = project.layout.staged(variant.id)
    environment = project.layout.environment(recipe.key(project.environment(variant))) / "tree"
    return listing if stage.intact(tree, listing, environment) else None


# -- zip and hash ----------------------------------------------------------------------------------


def zip_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the ZIP of the present inputs is there, or `hash` can take it from the store."""
    return project.is_available(variant)


def zip_is_published(project: Project, variant: Variant) -> bool:
    """Tell whether the ZIP of the present inputs is in dist/, as one who names it expects."""
    return project.built(variant) is not None


def make_zip(project: Project, variant: Variant) -> None:
    """Write the ZIP and publish it, together with its checksum and its entry in the index.

    If the store has it, it is taken from there; one that is in dist/ already is built all the same.
    """
    with _tree_locked(project, variant):
        if project.built(variant) is None and _take(project, variant):
            return
        listing = _staged(project, variant, project.key(variant))
        if listing is None:  # `doit forget`, or someone tidied up while the ZIP was there
            listing = _stage_and_touch(project, variant)
        try:
            members = _members(project, variant, listing)
        except ArchiveError:  # someone changed a file in build/: nothing there can be trusted
            clean_venv(project, variant)
            clean_stage(project, variant)
            members = _members(project, variant, _stage_and_touch(project, variant))
        _write(project, variant, members)


def _stage_and_touch(project: Project, variant: Variant) -> list[Origin]:
    _stage(project, variant)
    _touch(project, variant)
    listing = _staged(project, variant, project.key(variant))
    if listing is None:
        shown = project.layout.relative(project.layout.staged(variant.id))
        msg = f"{shown}: something else writes there; run doit again"
        raise StageError(msg)
    return listing


def _take(project: Project, variant: Variant) -> bool:
    """Publish the ZIP of the present inputs from the store, if it has a whole one."""
    with _new_zip(project, variant) as temporary:
        written = project.store.take(project.key(variant), temporary)
        if written is None:
            return False
        _publish(project, variant, written, temporary)
    return True


def _write(project: Project, variant: Variant, members: list[tuple[str, Packed]]) -> None:
    with _new_zip(project, variant) as temporary:
        written = archive.write(temporary, members)
        _publish(project, variant, written, temporary)
    project.store.put(project.key(variant), project.layout.zip(variant.id), written)


@contextlib.contextmanager
def _new_zip(project: Project, variant: Variant) -> Iterator[Path]:
    temporary = project.layout.dist / f".{variant.id}.zip.tmp"
    temporary.parent.mkdir(exist_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _publish(project: Project, variant: Variant, written: Written, new: Path) -> None:
    """Publish a ZIP, and record what it was made from and why."""
    now = project.artifact(variant)
    before = files.read_json(project.layout.stamp("zip", variant.id))
    known = isinstance(before, dict) and "recipe" in before
    reasons = recipe.difference(before["recipe"], now) if known else ["never built here before"]
    reasons = reasons or (
        before.get("reasons", []) if project.built(variant) else ["lost or damaged"]
    )
    index.publish(project.layout, variant, written, new=new)
    record = {"key": project.key(variant), "recipe": now, "written": written, "reasons": reasons}
    files.write_json(project.layout.stamp("zip", variant.id), record)
    project.remember_built(variant, written)


def _members(
    project: Project, variant: Variant, listing: Sequence[Origin]
) -> list[tuple[str, Packed]]:
    """Return the members of the ZIP; those of dependencies are shared by their environment."""
    tree = f"{project.layout.staged(variant.id)}{os.sep}"
    contents = [pack.Content(tree + o.file.path, o.file.sha256, o.file.size) for o in listing]
    if variant.function.compression == "stored":
        return [(o.file.path, pack.stored(c)) for o, c in zip(listing, contents, strict=True)]
    environment = recipe.key(project.environment(variant))
    earlier = files.read_json(project.layout.stamp("zip", variant.id)) or {}
    before = recipe.key(earlier["recipe"]["environment"]) if "recipe" in earlier else environment
    shared: list[pack.Content] = []
    own: list[pack.Content] = []
    for origin, content in zip(listing, contents, strict=True):
        (shared if origin.dependency else own).append(content)
    name = f"env-{environment[:24]}"
    packed: dict[str, Packed] = {}
    if shared:
        with files.locked(project.layout.lock(name)):
            packed |= pack.compressed(
                project.layout.pack(name),
                shared,
                reuse=[project.layout.pack(f"env-{before[:24]}")] if before != environment else [],
                keep=True,
                digests=project.digests,
                cores=project.layout.locks,
            )
    packed |= pack.compressed(
        project.layout.pack(variant.id),
        own,
        reuse=[],
        keep=False,
        digests=project.digests,
        cores=project.layout.locks,
    )
    return [(origin.file.path, packed[origin.file.sha256]) for origin in listing]


def clean_zip(project: Project, variant: Variant) -> None:
    """Remove the ZIP of a variant, with all that describes it."""
    index.withdraw(project.layout, variant.id)
    if project.store.folder.is_relative_to(project.layout.build):
        with contextlib.suppress(BuildError):
            project.store.discard(project.key(variant))
    files.remove(project.layout.stamp("zip", variant.id))
    pack.discard(project.layout.pack(variant.id))


def hash_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the checksum and the index describe the ZIP."""
    written = project.built(variant)
    return written is not None and index.is_described(
        project.layout, variant, written, project.index()
    )


def make_hash(project: Project, variant: Variant) -> None:
    """Describe the ZIP: take it from the store first, if it is not in dist/."""
    written = project.built(variant)
    if written is None:
        make_zip(project, variant)
    else:
        index.publish(project.layout, variant, written)


def clean_hash(project: Project, variant: Variant) -> None:
    """Remove what describes the ZIP of a variant."""
    index.withdraw(project.layout, variant.id, zip_too=False)


# -- index -----------------------------------------------------------------------------------------


def removed(project: Project) -> list[str]:
    """Return the ids of artifacts that the manifest no longer declares."""
    return [variant_id for variant_id in project.index() if variant_id not in project.variants]


def index_is_done(project: Project) -> bool:
    """Tell whether dist/ has no more than is declared, and the store no more than it may."""
    return not removed(project) and not project.store.is_full()


def prune(project: Project) -> None:
    """Remove the artifacts that are no longer declared, and what the store has too much."""
    project.store.evict()
    for variant_id in removed(project):
        index.withdraw(project.layout, variant_id)


# -- all -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A step of every variant: whether it is done, how it is done, how it is undone."""

    name: str
    doc: str
    is_done: Callable[[Project, Variant], bool]
    make: Callable[[Project, Variant], None]
    clean: Callable[[Project, Variant], None]


STEPS = (
    Step(
        "venv",
        "install the dependencies for the runtime and architecture",
        venv_is_done,
        make_venv,
        clean_venv,
    ),
    Step(
        "stage",
        "put dependencies, code and shared code together",
        stage_is_done,
        make_stage,
        clean_stage,
    ),
    Step(
        "touch",
        "give every staged file the one mtime and mode",
        touch_is_done,
        make_touch,
        clean_touch,
    ),
    Step("zip", "write dist/<id>.zip", zip_is_done, make_zip, clean_zip),
    Step(
        "hash",
        "describe it in dist/<id>.zip.sha256 and dist/lambdas.json",
        hash_is_done,
        make_hash,
        clean_hash,
    ),
)
