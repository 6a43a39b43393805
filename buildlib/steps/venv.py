"""The step `venv`: pins to an environment, once for all variants that have the same."""

import contextlib
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from buildlib import recipe
from buildlib.archive import compressed
from buildlib.environment import canonical
from buildlib.errors import BuildError, LockError
from buildlib.files import atomic, locks
from buildlib.model import Docker, File, Variant
from buildlib.project.project import Project
from buildlib.steps.lock import lock_is_done
from buildlib.tree import patterns

_logger = logging.getLogger(__name__)


def venv_is_done(project: Project, variant: Variant) -> bool:
    """Tell whether the dependencies are installed, or not needed."""
    if project.is_available(variant):
        return True
    folder = project.layout.environment(recipe.key(project.environment(variant)))
    return (folder / "record.json").exists()  # whoever needs it reads it, and installs if it cannot


def make_venv(project: Project, variant: Variant, *, anew: bool = False) -> None:
    """Install the dependencies of a variant, once for all variants that have the same.

    What links into uv's cache is read when it is put into a ZIP, and only then is it known whether
    it is what the wheel holds. If it is not, they are installed `anew`, and read at once.
    """
    layout = project.layout
    dependencies = project.environment(variant)
    key = recipe.key(dependencies)
    folder = layout.environment(key)
    with locks.locked(layout.lock(f"env-{folder.name}")):
        if not anew and environment_files(project, key) is not None:
            return
        atomic.remove(folder)
        for leftover in folder.parent.glob(f"{folder.name}.*"):
            atomic.remove(leftover)
        temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
        tree = temporary / "tree"
        tree.mkdir(parents=True)
        try:
            from buildlib.environment import elf  # only when something is installed

            with ThreadPoolExecutor(1) as pool:
                pool.submit(elf.prepare)  # while the installer works
                installed = _installed(project, variant, tree, checked=anew)
            wrong = elf.find_incompatible(tree, installed, variant)
            check_platform(variant, tree, wrong)
            record = {"key": key, "recipe": dependencies, "files": installed, "wrong": wrong}
            atomic.write_json(temporary / "record.json", record)
            temporary.rename(folder)
        finally:
            atomic.remove(temporary)


def check_platform(variant: Variant, tree: Path, wrong: Mapping[str, str]) -> None:
    """Stop if a variant would ship what does not run on its runtime (see `elf.wrong`).

    Others that exclude it may share its environment.
    """
    if not wrong:
        return
    from buildlib.environment import elf

    keep = patterns.excluder(variant.function)
    elf.raise_if_any(tree, {p: w for p, w in wrong.items() if keep is None or keep(p)}, variant)


def _installed(project: Project, variant: Variant, tree: Path, *, checked: bool) -> list[File]:
    """Install the pins of a variant into an empty folder, and return what is there."""
    _install(project, variant, tree)
    installed = canonical.canonicalise(
        tree, trust_record=not checked and not variant.function.docker
    )
    if installed.damaged and not variant.function.docker:
        # Someone wrote to a file in uv's cache, or a wheel has a wrong RECORD: what comes straight
        # from the index was checked against the lock as a whole.
        shown = ", ".join(installed.damaged[:3])
        _logger.warning("%s: not what the wheel holds (%s); downloading again", variant.id, shown)
        atomic.remove(tree)
        tree.mkdir()
        _install(project, variant, tree, fresh=True)
        installed = canonical.canonicalise(tree)
    return installed.files


def _install(project: Project, variant: Variant, tree: Path, *, fresh: bool = False) -> None:
    layout = project.layout
    requirements = project.requirements(variant.function)
    indexes = requirements.indexes if requirements else ()
    log = layout.log("venv", variant.id)
    pins = project.pins(variant)
    if variant.function.docker:
        from buildlib.environment import container  # only when something is installed

        image = project.image(variant)
        container.install(variant, pins, tree, image, layout=layout, indexes=indexes, log=log)
    else:
        cache = layout.build / "sdist-cache"
        from buildlib.environment import wheels  # the same

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
            from buildlib.environment import container  # only when an engine is asked

            problems[place] = container.answers(function, variant.architecture)
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
        atomic.remove(project.layout.environment(key))
        compressed.discard(project.layout.pack(f"env-{key[:24]}"))
    atomic.remove(project.layout.log("venv", variant.id))


def environment_problems(project: Project, key: str) -> dict[str, str]:
    """Return what does not run on the runtime in the environment with a key, by path."""
    record = project.record(project.layout.environment(key) / "record.json") or {}
    return dict(record.get("wrong", {}))


def environment_files(project: Project, key: str) -> list[File] | None:
    """Return the files of the environment with a key; None if it is not installed."""
    record = project.record(project.layout.environment(key) / "record.json")
    if record is None or record.get("key") != key:
        return None
    return [File(*row) for row in record["files"]]
