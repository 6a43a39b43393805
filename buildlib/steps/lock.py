"""The step `lock`: requirements to a lockfile, once for all variants of a function."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from buildlib.errors import LockError
from buildlib.layout import Layout
from buildlib.lock import changes, lockfile
from buildlib.lock.requirements import Requirements
from buildlib.lock.write import write_lock
from buildlib.model import Function, Image, LockTarget, Upgrade
from buildlib.project.compilers import minor
from buildlib.steps import times

_logger = logging.getLogger(__name__)


class LockInputs(NamedTuple):
    """Everything that a lockfile is made from.

    `targets` are those that the lockfile must hold for; `images` have to be pinned, and `pinned`
    are those that the lockfile pins already. `compilers` are the minor versions of Python whose
    compiler has to be pinned, and `pinned_compilers` the full versions that are.
    """

    function: Function
    lockfile: str
    requirements: Requirements
    targets: Sequence[LockTarget]
    images: Iterable[Image]
    pinned: Iterable[Image]
    compilers: Sequence[str] = ()
    pinned_compilers: Sequence[str] = ()


def check_frozen(function: Function, problem: str, why: str) -> None:
    """Stop where a lockfile may only be made on purpose.

    Raises:
        LockError: the lockfile is frozen, for the reason `why`.

    """
    if why:
        msg = (
            f"{function.lockfile} {problem}. {why}, so it was not written. "
            f"Run 'lambdas lock {function.name}' and commit the file."
        )
        raise LockError(msg, "lock-frozen")


def write(inputs: LockInputs, layout: Layout, upgrade: Upgrade) -> list[str]:
    """Resolve the requirements, write the lockfile, and return its changes as lines.

    Raises:
        LockError: the requirements have no solution, or the index cannot be reached.
        InstallError: an image cannot be pinned.

    """
    function = inputs.function
    log = layout.log("lock", function.name)
    log.unlink(missing_ok=True)
    with times.timed(layout, "lock", function.name):
        images = list(_pinned(inputs, keep=not upgrade.everything))
        is_kept = not upgrade.everything and lockfile.COMPILER not in upgrade.packages
        compilers = list(_compilers(inputs, layout, keep=is_kept))
        written = write_lock(
            layout.root,
            layout.root / inputs.lockfile,
            inputs.requirements,
            inputs.targets,
            upgrade=upgrade._replace(packages=upgrade.packages - {lockfile.COMPILER}),
            images=images,
            compilers=compilers,
            log=log,
        )
    for warning in written.warnings:
        _logger.warning("%s", warning)
    before, after = (
        [(f"{image.name} for {image.architecture}", image.reference) for image in some]
        for some in (inputs.pinned, images)
    )
    return [
        *written.changes,
        *changes.of_images(before, after),
        *changes.of_compilers(inputs.pinned_compilers, compilers),
    ]


def _compilers(inputs: LockInputs, layout: Layout, *, keep: bool) -> Iterator[str]:
    """Yield the full version of the compiler of each Python: the pinned, or this machine's newest.

    Raises:
        LockError: this machine has no CPython of a minor version.

    """
    known = {minor(version): version for version in inputs.pinned_compilers} if keep else {}
    for python in inputs.compilers:
        if python in known:
            yield known[python]
            continue
        from buildlib.bytecode import compiler  # only when a Python is looked for

        found = compiler.newest(python, layout.root)
        if found is None:
            msg = (
                f"{inputs.lockfile}: no CPython {python} found to compile the bytecode of "
                f"{inputs.function.title}; install one ('uv python install {python}'), or name the "
                f"full version of the compiler in the manifest, such as 'compiler: \"{python}.2\"'"
            )
            raise LockError(msg, "compiler-absent")
        yield found.version


def _pinned(inputs: LockInputs, *, keep: bool) -> Iterator[Image]:
    """Yield the images with their digests, as the engine or the registry has them."""
    known = {image[:3]: image for image in inputs.pinned} if keep else {}
    for image in inputs.images:
        if image[:3] in known:
            yield known[image[:3]]
        else:
            from buildlib.environment import container  # only when an engine is asked

            reference = container.resolve(inputs.function, image.architecture, image.name)
            yield image._replace(reference=reference)
