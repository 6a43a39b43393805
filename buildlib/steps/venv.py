"""The step `venv`: pins to an environment, shared by all variants that have the same recipe."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from buildlib.files import atomic, locks
from buildlib.layout import Layout
from buildlib.model import File, Variant
from buildlib.project.inputs import Inputs
from buildlib.tree import patterns

_logger = logging.getLogger(__name__)


class Environment(NamedTuple):
    """An installed environment: its folder, its files, and those that the runtime cannot load.

    `wrong` says by path why the runtime cannot load a file; `run` is the id of the run that
    installed it.
    """

    tree: Path
    files: list[File]
    wrong: dict[str, str]
    run: str


def is_installed(layout: Layout, key: str) -> bool:
    """Tell whether the environment with a key is there; `load` may still find it damaged."""
    return layout.environment_record(key).exists()


def load(layout: Layout, key: str) -> Environment | None:
    """Return the environment with a key; None if it is not installed, or its record is damaged."""
    record = atomic.read_json(layout.environment_record(key))
    if not isinstance(record, dict) or record.get("key") != key:
        return None
    files = [File(*row) for row in record["files"]]
    tree = layout.environment_tree(key)
    return Environment(tree, files, dict(record["wrong"]), record.get("run", ""))


def install(
    inputs: Inputs, layout: Layout, run: str, *, replace: bool = False, verify: bool = False
) -> Environment:
    """Install the dependencies of a variant, unless another run was faster.

    With `replace`, an environment that is there is installed again.

    A link into uv's cache is only read when it goes into a ZIP. If it turns out to differ from its
    RECORD, the environment is installed again with `verify`: each file is read at once, and a
    damaged distribution is downloaded again.

    Raises:
        InstallError: as the installer does, or a file cannot be loaded by the runtime.

    """
    key = inputs.environment_key
    folder = layout.environment(key)
    with locks.locked(layout.lock(f"env-{folder.name}")):
        if not replace and (present := load(layout, key)) is not None:
            return present
        for leftover in (folder, *folder.parent.glob(f"{folder.name}.*")):
            atomic.remove(leftover)
        temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
        tree = temporary / layout.environment_tree(key).name
        tree.mkdir(parents=True)
        try:
            files, wrong = _installed(inputs, layout, tree, verify=verify)
            check_platform(Environment(tree, files, wrong, run), inputs.variant)
            record = {"key": key, "run": run, "files": files, "wrong": wrong}
            atomic.write_json(temporary / layout.environment_record(key).name, record)
            temporary.rename(folder)
        finally:
            atomic.remove(temporary)
    return Environment(layout.environment_tree(key), files, wrong, run)


def _installed(
    inputs: Inputs, layout: Layout, tree: Path, *, verify: bool
) -> tuple[list[File], dict[str, str]]:
    """Install into the empty folder `tree`; return its files, and those that cannot be loaded."""
    # Only where something is installed.
    from buildlib.environment import elf
    from buildlib.environment.canonical import canonicalise
    from buildlib.environment.installer import Request, installer_for

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
    install_into = installer_for(variant.function)
    from_wheels = not variant.function.docker
    with ThreadPoolExecutor(1) as pool:
        pool.submit(elf.prepare)  # while the installer works
        install_into(request)
        installed = canonicalise(tree, trust_record=from_wheels and not verify)
        if installed.damaged and from_wheels:
            # Another program wrote to a file in uv's cache. A download is checked as a whole.
            shown = ", ".join(installed.damaged[:3])
            _logger.warning(
                "%s: files differ from the wheel (%s); downloading again", variant.id, shown
            )
            atomic.remove(tree)
            tree.mkdir()
            install_into(request._replace(refresh=True))
            installed = canonicalise(tree)
    return installed.files, elf.find_incompatible(tree, installed.files, variant)


def check_platform(environment: Environment, variant: Variant) -> None:
    """Stop if a variant would ship a file that its runtime cannot load.

    Others that exclude the file may share the environment.
    """
    if not environment.wrong:
        return
    from buildlib.environment import elf

    keep = patterns.excluder(variant.function)
    wrong = {p: why for p, why in environment.wrong.items() if keep is None or keep(p)}
    elf.raise_if_any(environment.tree, wrong, variant)


def clean(inputs: Inputs, layout: Layout) -> None:
    """Remove the environment of a variant, and the members that were compressed from it."""
    from buildlib.archive import compressed

    atomic.remove(layout.environment(inputs.environment_key))
    compressed.discard(layout.environment_pack(inputs.environment_key))
