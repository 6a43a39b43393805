"""The step `venv`: pins to an environment, shared by all variants that have the same recipe."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildlib.cache.machine import MachineCache
from buildlib.errors import InstallError
from buildlib.files import atomic, locks, records
from buildlib.layout import Layout
from buildlib.model import File, Origin, Variant
from buildlib.project.inputs import Inputs
from buildlib.runtimes import RUNTIMES
from buildlib.steps import bytecode
from buildlib.tree import patterns

if TYPE_CHECKING:
    from buildlib.environment.canonical import Installed
    from buildlib.environment.installer import Request

_logger = logging.getLogger(__name__)

# Files in a message.
_SHOWN = 5


class Environment(NamedTuple):
    """An installed environment: its folder, its files, and those that no ZIP can have.

    `wrong` says by path why the runtime cannot load a file, and `overlaps` which distributions
    install different contents there. `libraries` are shared libraries that nothing provides, each
    with the files that need it. `run` is the id of the run that installed it.
    """

    tree: Path
    files: list[File]
    wrong: dict[str, str]
    overlaps: dict[str, list[str]]
    libraries: dict[str, list[str]]
    run: str


_NAMES = records.map_of(records.text, records.list_of(records.text))


_SHAPE = records.fields(
    key=records.sha256,
    files=records.list_of(records.row(*records.FILE)),
    wrong=records.map_of(records.text, records.text),
    overlaps=_NAMES,
    libraries=_NAMES,
    run=records.text,
)


_FAILURE = records.fields(
    run=records.text, of=records.text, message=records.text, kind=records.text
)


def is_installed(layout: Layout, key: str) -> bool:
    """Tell whether the environment with a key is there; `load` may still find it damaged."""
    return layout.environment_record(key).exists()


def load(layout: Layout, key: str) -> Environment | None:
    """Return the environment with a key; None if it is not installed, or its record is damaged."""
    record = records.read(layout.environment_record(key), _SHAPE)
    if record is None or record.pop("key") != key:
        return None
    files = [File(*row) for row in record["files"]]
    return Environment(**record | {"tree": layout.environment_tree(key), "files": files})


def install(  # noqa: PLR0913 - each is one independent input of the environment
    inputs: Inputs,
    layout: Layout,
    run: str,
    cache: MachineCache,
    *,
    replace: bool = False,
    verify: bool = False,
) -> Environment:
    """Install the dependencies of a variant, unless another run was faster.

    With `replace`, an environment that is there is installed again.

    A link into uv's cache is only read when it goes into a ZIP. If it turns out to differ from its
    RECORD, the environment is installed again with `verify`: each file is read at once, and a
    damaged distribution is downloaded again.

    Raises:
        InstallError: as the installer does, or `check` finds a file that no ZIP can have.

    """
    key = inputs.environment_key
    folder = layout.environment(key)
    with locks.locked(layout.lock(f"env-{folder.name}")):
        if not replace and (present := load(layout, key)) is not None:
            return present
        _raise_again(inputs, layout, run)
        for leftover in folder.parent.glob(f"*{folder.name}*"):
            atomic.remove(leftover)
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        tree = temporary / layout.environment_tree(key).name
        tree.mkdir(parents=True)
        try:
            try:
                environment = _compiled(inputs, layout, tree, cache, verify=verify)
            except InstallError as error:
                note = {"run": run, "of": inputs.variant.function.title}
                note |= {"message": str(error.args[0]), "kind": error.kind}
                records.write(layout.environment_failure(key), note)
                raise
            environment = environment._replace(run=run)
            check(environment, inputs.variant)
            record = {"key": key, **environment._asdict()}
            del record["tree"]
            records.write(temporary / layout.environment_record(key).name, record)
            temporary.rename(folder)
        finally:
            atomic.remove(temporary)
    return environment._replace(tree=layout.environment_tree(key))


def _raise_again(inputs: Inputs, layout: Layout, run: str) -> None:
    """Raise the error of a variant that could not install the same environment in this run.

    Raises:
        InstallError: as then, with the name of this variant's function.

    """
    note = records.read(layout.environment_failure(inputs.environment_key), _FAILURE)
    if note is not None and note["run"] == run:
        message = note["message"].replace(note["of"], inputs.variant.function.title)
        error = InstallError(message, "install-failed")
        error.kind = note["kind"]
        raise error


def _compiled(
    inputs: Inputs, layout: Layout, tree: Path, cache: MachineCache, *, verify: bool
) -> Environment:
    """Install into the empty folder `tree`, without symbols and with bytecode if a key says so."""
    environment = _installed(inputs, layout, tree, verify=verify)
    function, files = inputs.variant.function, environment.files
    try:
        if function.strip:
            from buildlib.steps import strip  # only where it is asked for

            target = tree.with_name(layout.environment_stripped(inputs.environment_key).name)
            files = strip.of_dependencies(files, tree, target, function.title)
        if inputs.compiler:
            files = bytecode.of_dependencies(files, tree, inputs, layout, cache)
    except bytecode.SourceChangedError as error:
        if verify:
            msg = f"{function.title}: {error} changes while it is read"
            raise InstallError(msg, "environment-damaged") from None
        atomic.remove(tree)
        tree.mkdir()
        return _compiled(inputs, layout, tree, cache, verify=True)
    return environment._replace(files=files)


def _installed(inputs: Inputs, layout: Layout, tree: Path, *, verify: bool) -> Environment:
    """Install into the empty folder `tree`."""
    # Only where something is installed.
    from buildlib.environment import elf, libraries
    from buildlib.environment.installer import Request

    variant = inputs.variant
    request = Request(
        variant,
        inputs.pins,
        inputs.image,
        inputs.indexes,
        tree,
        layout,
        layout.log("venv", variant.id),
    )
    with ThreadPoolExecutor(1) as pool:
        pool.submit(elf.prepare)  # while the installer works
        installed = _complete(request, verify=verify)
    if installed.sourceless:
        _logger.warning("%s: %s", variant.function.title, _left_out(installed.sourceless))
    wrong, codes = elf.inspect(tree, installed.files, variant)
    paths = (file.path for file in installed.files)
    missing = libraries.missing(codes, paths, variant.python)
    return Environment(tree, installed.files, wrong, installed.overlaps, missing, "")


def _left_out(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return (
        f"left out {shown}{more}: a package has bytecode without the source, which only the Python "
        "that made it can import; require a release with sources"
    )


def _complete(request: "Request", *, verify: bool) -> "Installed":
    """Return a tree with all that the pins ask for; download damaged packages again.

    An installer that died may have left a part behind, and another program may have written to its
    cache. A download is checked as a whole, so a difference that remains is in the wheel.

    Raises:
        InstallError: as the installer does, or a distribution is still missing.

    """
    from buildlib.environment import damage

    function = request.variant.function
    from_wheels = not function.docker
    installed = _canonical(request, trust_record=from_wheels and not verify)
    problems = installed.incomplete | installed.damaged
    if not problems:
        return installed
    names = tuple(damage.distributions(problems))
    what, again = (
        ("the installer's cache is damaged", f"downloading {', '.join(names)} again")
        if from_wheels
        else ("the container lacks files that pip recorded, or changed them", "repeating it")
    )
    _logger.warning("%s: %s (%s); %s", request.variant.id, what, damage.describe(problems), again)
    atomic.remove(request.target)
    request.target.mkdir()
    first, installed = installed, _canonical(request._replace(refresh=names), trust_record=False)
    unsettled = dict(installed.incomplete)
    if not from_wheels:
        unsettled |= _changing(first, installed)
    if unsettled:
        advice = (
            f"If the lock was edited by hand, run 'lambdas lock {function.name}'"
            if installed.incomplete
            else "Look in 'docker.setup' and in the image for something that writes to these files"
        )
        shown = request.layout.relative(request.log)
        msg = (
            f"{function.title}: the installer succeeded, but {damage.describe(unsettled)}. "
            f"{advice}. Full log: {shown}."
        )
        raise InstallError(msg, "install-failed")
    if installed.damaged:
        _logger.warning(
            "%s: %s still differ from RECORD, as the first time; they ship as installed",
            request.variant.id,
            damage.describe(installed.damaged),
        )
    return installed


def _changing(first: "Installed", second: "Installed") -> dict[str, str]:
    """Return the files that differ from RECORD, and not in the same way in two installations.

    A wheel's own RECORD may be wrong, and then the difference is the same each time. Each is a
    short text, with the name of the distribution.
    """
    before, after = (
        {file.path: file.sha256 for file in installed.files if file.path in second.damaged}
        for installed in (first, second)
    )
    return {
        f"'{path}' differs from RECORD, and from one installation to the next": name
        for path, name in second.damaged.items()
        if path not in first.damaged or before.get(path) != after.get(path)
    }


def _canonical(request: "Request", *, trust_record: bool) -> "Installed":
    from buildlib.environment.canonical import canonicalise
    from buildlib.environment.installer import installer_for
    from buildlib.environment.overlaps import Originals

    install_into = installer_for(request.variant.function)
    install_into(request)
    return canonicalise(
        request.target,
        pins=request.pins,
        trust_record=trust_record,
        only_listed=not request.variant.function.docker,
        content_of=Originals(request, install_into),
    )


def check(environment: Environment, variant: Variant) -> None:
    """Stop if a variant would ship a file that its runtime cannot load, or one by chance.

    Variants that exclude the file may share the environment.

    Raises:
        InstallError: with each such file, and the remedy.

    """
    if not environment.wrong and not environment.overlaps:
        return
    from buildlib.environment import elf, overlaps

    keep = patterns.excluder(variant.function) or (lambda _: True)
    start = variant.function.prefix
    wrong = {path: why for path, why in environment.wrong.items() if keep(start + path)}
    elf.raise_if_any(environment.tree, wrong, variant)
    shared = {path: names for path, names in environment.overlaps.items() if keep(start + path)}
    overlaps.raise_if_any(shared, variant.function)


def warn_of_libraries(
    missing: Mapping[str, Sequence[str]], variant: Variant, own: Iterable[Origin]
) -> None:
    """Warn of shared libraries that files in the ZIP need and that nothing provides."""
    if not missing:
        return
    from buildlib.environment import libraries

    keep = patterns.excluder(variant.function) or (lambda _: True)
    present = {origin.file.path.rpartition("/")[2] for origin in own}
    present |= set(dict(variant.function.options).get("allow_missing_libraries", ()))
    needed = {
        library: kept
        for library, paths in missing.items()
        if library not in present and (kept := [path for path in paths if keep(path)])
    }
    if needed:
        system = RUNTIMES[variant.python].system
        _logger.warning("%s", libraries.warning(variant.function.title, needed, system))


def clean(inputs: Inputs, layout: Layout) -> None:
    """Remove the environment of a variant."""
    atomic.remove(layout.environment(inputs.environment_key))
