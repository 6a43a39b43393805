"""The step `lock`: requirements to pins, once for all variants of a function."""

import hashlib
import os
from pathlib import Path

from buildlib.errors import LockError
from buildlib.files import locks
from buildlib.lock import lockfile, resolve
from buildlib.lock.requirements import Requirements
from buildlib.manifest import variants
from buildlib.model import Function, Image
from buildlib.project.project import Project
from buildlib.steps import times


def lock_is_done(project: Project, function: Function) -> bool:
    """Tell whether the lock was made from the present requirements."""
    if function.lock is None or all(map(project.is_settled, variants.expand(function))):
        return True
    requirements = project.requirements(function)
    if requirements is None:
        return True
    python = project.lowest_python(function)
    path = project.layout.root / function.lock
    return lockfile.is_current(path, requirements, python) and not project.unpinned_images(function)


def make_lock(project: Project, function: Function, *, renew: bool) -> None:
    """Make the lock; with `renew`, newer versions are taken if it was current already.

    Processes that want the same one wait for each other, and the second finds it made.
    """
    requirements = project.requirements(function)
    if requirements is None or function.lock is None:
        return
    name = hashlib.sha256(function.lock.encode()).hexdigest()[:24]
    with locks.locked(project.layout.lock(f"lock-{name}")):
        _make(project, function, requirements, project.layout.root / function.lock, renew=renew)


def _make(
    project: Project, function: Function, requirements: Requirements, path: Path, *, renew: bool
) -> None:
    root, python = project.layout.root, project.lowest_python(function)
    problem = lockfile.state(path, requirements, python)
    unpinned = project.unpinned_images(function)
    if problem is None and unpinned:
        problem = f"has no digest of the image {unpinned[0].name}"
    if problem is None and not renew:
        return  # doit's state did not know the task: that is no reason to resolve anew
    if not renew and lockfile.is_frozen(project.manifest.frozen, os.environ):
        why = "the manifest says 'frozen'" if project.manifest.frozen else "CI is set"
        msg = (
            f"{function.lock}: the lock {problem}, and {why}, so it is not made here; "
            f"run 'doit lock:{function.name}' and commit the file"
        )
        raise LockError(msg, "lock-frozen")
    log = project.layout.log("lock", function.name)
    log.unlink(missing_ok=True)
    upgrade = problem is None
    with times.of_lock(project, function):
        images = _pin_images(project, function, keep=not upgrade)
        resolve.write_lock(
            root, path, requirements, python, upgrade=upgrade, images=images, log=log
        )


def _pin_images(project: Project, function: Function, *, keep: bool) -> list[Image]:
    """Return the images of a lock with their digests, as the engine or the registry gives them."""
    pinned = {image[:3]: image for image in project.pinned_images(function)} if keep else {}
    found = []
    for image in project.wanted_images(function):
        if image[:3] in pinned:
            found.append(pinned[image[:3]])
        else:
            from buildlib.environment import container  # only when an engine is asked

            reference = container.resolve(function, image.architecture, image.name)
            found.append(image._replace(reference=reference))
    return found
