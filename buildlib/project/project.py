"""A repository as it is now: its manifest, and the inputs of each variant."""

import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, cast

from buildlib import model, recipe
from buildlib.artifacts import hashes, index
from buildlib.cache import digests
from buildlib.cache.digests import Digests
from buildlib.cache.fingerprints import Fingerprints
from buildlib.cache.store import LIMIT, Store
from buildlib.errors import BuildError, LockError
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.lock import lockfile, requirements
from buildlib.lock.requirements import Requirements
from buildlib.manifest import reader, variants
from buildlib.model import Function, Image, Origin, Pin, Variant
from buildlib.recipe import Recipe
from buildlib.runtimes import RUNTIMES
from buildlib.tree import sources

T = TypeVar("T")


class Project:
    """What is declared in a repository, and what its inputs and outputs are at present.

    Answers are remembered while the files that they were read from are the same. Sources are
    looked at once: a run of doit sees one state of them, and the step that copies them checks.
    """

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.manifest = reader.read(root)
        self.digests = Digests(root, self.layout.digests)
        self.store = _store(self.layout)
        self._settled = Fingerprints(root, self.layout.settled)
        self.variants = {
            variant.id: variant
            for function in self.manifest.functions
            for variant in variants.expand(function)
        }
        self._has_docker = any(function.docker for function in self.manifest.functions)
        self._is_settled: dict[str, bool] = {}
        # Every task asks for paths: as texts, they are made ten times faster.
        self._root = f"{root}{os.sep}"
        self._memory: dict[Hashable, tuple[Hashable, Any]] = {}

    def _remembered(self, name: Hashable, state: Hashable, make: Callable[[], T]) -> T:
        known = self._memory.get(name)
        if known is None or known[0] != state:
            known = self._memory[name] = (state, make())
        return cast(T, known[1])

    # -- inputs ----------------------------------------------------------------------------------

    def requirements(self, function: Function) -> Requirements | None:
        """Return the requirements of a function; None if it has none."""
        path = function.requirements
        if path is None:
            return None
        make = lambda: requirements.read(self.layout.root, path)  # noqa: E731
        return self._remembered(("requirements", path), None, make)

    def lowest_python(self, function: Function) -> str:
        """Return the lowest Python that the lock of a function must hold for."""

        def by_lock() -> dict[str | None, str]:
            found: dict[str | None, list[str]] = {}
            for other in self.manifest.functions:
                found.setdefault(other.lock, []).extend(other.pythons)
            return {path: lockfile.lowest(set(pythons)) for path, pythons in found.items()}

        return self._remembered("lowest", None, by_lock)[function.lock]

    def pins(self, variant: Variant) -> tuple[Pin, ...]:
        """Return the locked distributions of a variant."""
        shown = variant.function.lock
        if shown is None:
            return ()
        path = self.layout.root / shown
        name = ("pins", shown, variant.python, variant.architecture)
        return self._remembered(name, _state(path), lambda: lockfile.pins(path, shown, variant))

    def sources(self, function: Function) -> list[Origin]:
        """Return the own files of a function."""
        requirements = self.requirements(function)
        not_code = {*(requirements.files if requirements else ()), function.lock}
        make = lambda: sources.sources(self.layout.root, function, self.digests, not_code)  # noqa: E731
        return self._remembered(("sources", function.name), None, make)

    def wanted_images(self, function: Function) -> list[Image]:
        """Return the images that the lock of a function has to pin; their references are empty."""
        return sorted({
            Image(variant.python, variant.architecture, image_name(variant), "")
            for variant in self.variants.values()
            if variant.function.docker
            and variant.function.lock == function.lock
            and "@" not in image_name(variant)
        })  # fmt: skip

    def pinned_images(self, function: Function) -> list[Image]:
        """Return the images that the lock of a function pins."""
        if function.lock is None:
            return []
        path = self.layout.root / function.lock
        name = ("images", function.lock)
        return self._remembered(name, _state(path), lambda: lockfile.images(path))

    def unpinned_images(self, function: Function) -> list[Image]:
        """Return the images that the lock of a function lacks."""
        if not self._has_docker:
            return []
        wanted = self.wanted_images(function)
        pinned = {image[:3] for image in self.pinned_images(function)} if wanted else set()
        return [image for image in wanted if image[:3] not in pinned]

    def image(self, variant: Variant) -> str:
        """Return the pinned reference of the image of a variant; empty if it needs none.

        Raises:
            LockError: there is no digest of it, in the manifest or in the lock.

        """
        function = variant.function
        if function.docker is None:
            return ""
        name = image_name(variant)
        if "@" in name:
            return name
        for image in self.pinned_images(function):
            if image[:3] == (variant.python, variant.architecture, name):
                return image.reference
        if function.lock is None:
            msg = (
                f"lambda '{function.name}': without requirements there is no lock to pin the image "
                f"in; write its digest into the manifest, as 'image: {name}@sha256:<hex>'"
            )
        else:
            msg = (
                f"{function.lock}: no digest of the image {name} for Python {variant.python} on "
                f"{variant.architecture}; run 'doit lock:{function.name}' and commit the file"
            )
        raise LockError(msg, "image-unpinned")

    def environment(self, variant: Variant) -> Recipe:
        """Return the recipe of a variant's dependencies."""
        return recipe.environment_recipe(variant, self.pins(variant), self.image(variant))

    def artifact(self, variant: Variant) -> Recipe:
        """Return the recipe of a variant's ZIP."""
        own = [origin.file for origin in self.sources(variant.function)]
        return recipe.artifact_recipe(variant, self.environment(variant), own)

    def key(self, variant: Variant) -> str:
        """Return the key of a variant's ZIP."""
        shown = variant.function.lock
        state = _state(f"{self._root}{shown}") if shown else None
        return self._remembered(
            ("key", variant.id), state, lambda: recipe.key(self.artifact(variant))
        )

    # -- outputs ---------------------------------------------------------------------------------

    def built(self, variant: Variant) -> model.Written | None:
        """Return what the ZIP of a variant is, if it is there, whole, and of the present inputs."""

        def look() -> model.Written | None:
            stamp, path, *_ = outputs = _outputs(variant)
            known = self._settled.find(variant, self._constants(variant), outputs)
            self._is_settled[variant.id] = known is not None
            if known is not None:
                return known
            record = atomic.read_json(self.layout.root / stamp)
            if not isinstance(record, dict) or record.get("key") != self.key(variant):
                return None
            written = model.Written(*record["written"])
            try:
                found = self.digests.of(self._root + path, os.stat(self._root + path))
            except FileNotFoundError:
                return None
            return written if found == written.sha256 else None

        return self._remembered(("built", variant.id), self._built_state(variant), look)

    def is_settled(self, variant: Variant) -> bool:
        """Tell whether nothing at all changed since all steps of a variant were done."""
        return self.built(variant) is not None and self._is_settled[variant.id]

    def settle(self, variant: Variant, written: model.Written) -> None:
        """Note that all steps of a variant are done."""
        requirements = self.requirements(variant.function)
        names = requirements.files if requirements else ()
        constants, outputs = self._constants(variant), _outputs(variant)
        self._settled.note(variant, constants, outputs, names, written)

    def _constants(self, variant: Variant) -> str:
        return f"{recipe.constants()} {self.lowest_python(variant.function)}"

    def _built_state(self, variant: Variant) -> Hashable:
        """Return the status of the files that a run of doit itself may change."""
        shown = variant.function.lock
        stamp, path, *_ = _outputs(variant)
        lock_state = _state(self._root + shown) if shown else None
        return (lock_state, _state(self._root + stamp), _state(self._root + path))

    def remember_built(self, variant: Variant, written: model.Written) -> None:
        """Take note of a ZIP that was just published, so that it need not be read again."""
        self._memory["built", variant.id] = (self._built_state(variant), written)
        self._is_settled[variant.id] = False

    def record(self, path: Path) -> dict[str, Any] | None:
        """Return a record that a step left; None if there is none. The last one is remembered."""
        value = self._remembered(
            ("record", path.parent.name), (path, _state(path)), lambda: atomic.read_json(path)
        )
        return value if isinstance(value, dict) else None

    def is_available(self, variant: Variant) -> bool:
        """Tell whether the ZIP of the present inputs is there, or in the store."""
        return self.built(variant) is not None or self.stored(variant)

    def stored(self, variant: Variant) -> bool:
        """Tell whether the store has the ZIP of the present inputs."""
        key = self.key(variant)
        state = _state(f"{self.store.folder}{os.sep}{key}.json")
        if state is None:
            return False
        find = lambda: self.store.find(key) is not None  # noqa: E731
        return self._remembered(("stored", variant.id), (key, state), find)

    def index(self) -> dict[str, index.Entry]:
        """Return the index of the artifacts."""
        state = _state(self.layout.index)
        return self._remembered("index", state, lambda: index.read(self.layout))

    def save(self) -> None:
        """Keep what was found out for the next run."""
        self.digests.save()
        self._settled.save()

    def recorded(self) -> dict[str, hashes.Entry]:
        """Return what `doit record` wrote; empty without it, or if it is damaged."""
        state = _state(self.layout.hashes)
        return self._remembered("hashes", state, lambda: hashes.read(self.layout))

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what another process had better read again."""
        return self.__dict__ | {"_memory": {}}


def image_name(variant: Variant) -> str:
    """Return the name of the image in which a variant's dependencies are installed."""
    docker = variant.function.docker
    return (docker.image if docker else None) or RUNTIMES[variant.python].image


def _store(layout: Layout) -> Store:
    """Return the store: in build/, or wherever LAMBDA_ZIP_STORE says that several share one."""
    folder = os.environ.get("LAMBDA_ZIP_STORE")
    limit = os.environ.get("LAMBDA_ZIP_STORE_LIMIT", "")
    if limit and not limit.isdecimal():
        msg = f"LAMBDA_ZIP_STORE_LIMIT: expected a number of megabytes, found '{limit}'"
        raise BuildError(msg, "setting")
    return Store(
        layout.root / Path(folder).expanduser() if folder else layout.build / "store",
        int(limit) * 1_000_000 if limit else LIMIT,
        shared=bool(folder),
    )


def _outputs(variant: Variant) -> tuple[str, ...]:
    """Return the record of the step `zip`, the ZIP and what describes it, below the root."""
    name = variant.id
    outputs: tuple[str, ...] = (
        f"build/zip/{name}.json",
        f"dist/{name}.zip",
        f"dist/{name}.zip.sha256",
    )
    if variant.function.evidence:
        outputs += (f"dist/{name}.cdx.json", f"dist/{name}.intoto.json")
    return outputs


def _state(path: str | Path) -> digests.Signature | None:
    try:
        return digests.signature(os.stat(path))
    except OSError:
        return None
