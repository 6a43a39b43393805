"""The bytecode of a variant: of its dependencies in the step `venv`, of its own code in `stage`."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from buildlib import contract
from buildlib.cache.machine import MachineCache
from buildlib.errors import InstallError, StageError
from buildlib.files import atomic
from buildlib.files import bytecode as paths
from buildlib.layout import Layout
from buildlib.model import File, Origin
from buildlib.project.compilers import minor
from buildlib.project.inputs import Inputs

_logger = logging.getLogger(__name__)

# Files in a message.
_SHOWN = 3


class SourceChangedError(Exception):
    """A source does not have its digest."""


def of_dependencies(
    files: Sequence[File], tree: Path, inputs: Inputs, layout: Layout, cache: MachineCache
) -> list[File]:
    """Write the bytecode of an environment's files into its tree; return all of its files.

    Raises:
        InstallError: this machine does not have the compiler.
        SourceChangedError: a file differs from its RECORD.

    """
    prefix, python = inputs.variant.function.prefix, inputs.variant.python
    places = {prefix + file.path: f"{tree}{os.sep}{file.path}" for file in files}
    sources = [file._replace(path=prefix + file.path) for file in files]
    found, problems = _compiled(sources, places.__getitem__, inputs, layout, cache)
    if problems:
        _logger.warning("%s: %s", inputs.variant.function.title, _left_out(problems, python))
    every = list(files)
    for path, content in found.items():
        place = paths.cached(path.removeprefix(prefix), python)
        target = tree / place
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        os.utime(target, (contract.MTIME, contract.MTIME))
        every.append(File(place, hashlib.sha256(content).hexdigest(), len(content)))
    return sorted(every)


def of_own(inputs: Inputs, layout: Layout, cache: MachineCache) -> Inputs:
    """Return inputs with the bytecode of the function's own files.

    Raises:
        InstallError: this machine does not have the compiler.
        StageError: a source changed after it was hashed.

    """
    if not inputs.compiler:
        return inputs
    variant = inputs.variant
    origins = {origin.file.path: origin for origin in inputs.own}
    sources = [origin.file for origin in inputs.own]
    place: Callable[[str], str] = lambda path: str(layout.root / origins[path].path)  # noqa: E731
    try:
        found, _ = _compiled(sources, place, inputs, layout, cache)
    except SourceChangedError as error:
        shown = origins[str(error)].path
        msg = f"{shown}: changed while it was read; run the build again"
        raise StageError(msg, "changed") from None
    folder, made = layout.bytecode(variant.id), []
    for path, content in found.items():
        shipped = paths.shipped(paths.cached(path, variant.python), variant.function)
        file = File(shipped, hashlib.sha256(content).hexdigest(), len(content))
        _write(folder / file.sha256, content)
        made.append(Origin(file, layout.relative(folder / file.sha256), dependency=False))
    _keep_only(folder, {origin.file.sha256 for origin in made})
    return inputs._replace(bytecode=tuple(made))


def _write(path: Path, content: bytes) -> None:
    try:
        is_there = path.read_bytes() == content
    except OSError:
        is_there = False
    if not is_there:
        atomic.write(path, content, ours=True)


def _keep_only(folder: Path, names: set[str]) -> None:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name not in names:
                atomic.remove(folder / name)


def _compiled(
    files: Iterable[File],
    place: Callable[[str], str],
    inputs: Inputs,
    layout: Layout,
    cache: MachineCache,
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the bytecode of sources, and the problems of those without, by the path in the ZIP."""
    from buildlib.bytecode import compiled, compiler  # only where something is compiled

    def find() -> compiler.Compiler:
        found = compiler.find(inputs.compiler, layout.root)
        if found is None:
            here = compiler.available(minor(inputs.compiler), layout.root)
            raise InstallError(_absent(inputs, here), "compiler-absent")
        return found

    function = inputs.variant.function
    sources = {
        paths.in_lambda(file.path, function): file for file in files if file.path.endswith(".py")
    }
    wanted = (
        compiled.Source(path, file.sha256, file.size, place(file.path))
        for path, file in sources.items()
    )
    found: dict[str, bytes] = {}
    problems: dict[str, str] = {}
    results = compiled.compile_all(wanted, inputs.compiler, find, cache.bytecode, layout.locks)
    try:
        for source, result in results:
            path = sources[source.path].path
            if result.sha256 != source.sha256:
                raise SourceChangedError(path)
            if result.problem:
                problems[path] = result.problem
            else:
                found[path] = result.content
    except compiled.CrashError as error:
        msg = (
            f"{function.title}: CPython {inputs.compiler} died while it compiled {error}. Run the "
            "build again. If it dies again, add the file to 'exclude' or set 'bytecode: false'"
        )
        raise InstallError(msg, "compiler-failed") from None
    return found, problems


def _left_out(problems: dict[str, str], python: str) -> str:
    shown = [f"{path} ({problem})" for path, problem in sorted(problems.items())[:_SHOWN]]
    if len(problems) > _SHOWN:
        shown.append(f"and {len(problems) - _SHOWN} more")
    return f"no bytecode for {', '.join(shown)}: Python {python} cannot compile it"


def _absent(inputs: Inputs, here: Sequence[str]) -> str:
    function, version = inputs.variant.function, inputs.compiler
    by = "the manifest names" if version in function.compilers else f"{function.lockfile} pins"
    has = f"has {', '.join(here)}" if here else f"has no CPython {minor(version)}"
    remedy = f"Install it, such as with 'uv python install {version}'"
    if version in function.compilers:
        other = f"or change 'compiler' of {function.title}"
    else:
        other = (
            "or pin the newest one of this machine on purpose: 'lambdas lock --upgrade-package "
            f"cpython {function.name}'"
        )
    return (
        f"{function.title}: {by} CPython {version} as the compiler of its bytecode, and this "
        f"machine {has}; another version may give other bytes. {remedy}; {other}"
    )
