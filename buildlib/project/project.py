"""A repository as it is now: its manifest, the inputs of each variant, and how far each is."""

import os
import uuid
from collections import ChainMap
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from buildlib import recipe
from buildlib.artifacts import hashes
from buildlib.artifacts.index import Entry
from buildlib.artifacts.listing import Listing
from buildlib.cache.clock import Clock
from buildlib.cache.digests import Digests, signature_of
from buildlib.cache.fingerprints import Fingerprints
from buildlib.cache.machine import MachineCache
from buildlib.errors import BuildError, LockError, StageError
from buildlib.files import gitignore, left_out
from buildlib.layout import Layout
from buildlib.lock import dependencies, lockfile, targets
from buildlib.lock.requirements import Requirements
from buildlib.manifest import locations, reader, variants
from buildlib.model import Function, Image, Include, LockTarget, Origin, Pin, Variant, Written
from buildlib.project import compilers, images, layers, pinned, services
from buildlib.project.farm import Farm
from buildlib.project.inputs import Inputs
from buildlib.project.remote import RemoteCache
from buildlib.project.status import Status, outputs, stamped
from buildlib.project.unread import Search
from buildlib.remote import settings
from buildlib.tree import sources

T = TypeVar("T")


class Project:
    """The declarations of a repository, and the present state of its inputs and outputs.

    Answers are remembered while the files that they were read from are the same. Sources are
    looked at once: a run of doit sees one state of them, and the step that copies them checks.
    `run` is the id of this run, by which a record made in it is told from an older one. With
    `generated`, sources may be missing until something else makes them. `frozen` says why lockfiles
    must not be written, if they must not.
    """

    def __init__(self, root: Path, *, generated: bool = False, frozen: str = "") -> None:
        self.layout = Layout(root)
        self.frozen = frozen
        self.absent: BuildError | None = None  # the mistakes of a manifest of a sparse checkout
        self.manifest = reader.read(root, generated=generated)
        self._clock = Clock(root, self.layout.build)
        self.digests = Digests(root, self.layout.digests, self._clock)
        self.cache = MachineCache(self.layout, os.environ)
        self.listing = Listing(self.layout)
        self.remote = RemoteCache(settings.read(self.manifest.cache, os.environ), self)
        self.farm: Farm | None = None
        self.run = uuid.uuid4().hex
        self.variants = {
            variant.id: variant
            for function in self.manifest.functions
            for variant in variants.expand(function)
        }
        self._by_layer = {one.name: one for one in self.manifest.functions if one.is_layer}
        self._layers = {
            (v.function.name, v.python, v.architecture): v
            for v in self.variants.values()
            if v.function.is_layer
        }
        self._fingerprints = Fingerprints(root, self.layout.fingerprints, self._clock)
        self._unread = Search(root)
        self._saves = True
        self._has_bytecode = any(function.bytecode for function in self.manifest.functions)
        self._has_docker = any(function.docker for function in self.manifest.functions)
        # Every check asks for these: as texts, they are made ten times faster.
        self._root = f"{root}{os.sep}"
        self._memory: dict[Hashable, tuple[Hashable, Any]] = {}

    def remembered(self, name: Hashable, state: Hashable, make: Callable[[], T]) -> T:
        """Return the answer of `make`, which is asked once for each `state` of its files."""
        known = self._memory.get(name)
        if known is None or known[0] != state:
            known = self._memory[name] = (state, make())
        return cast(T, known[1])

    # -- inputs ----------------------------------------------------------------------------------

    def requirements(self, function: Function) -> Requirements | None:
        """Return the requirements of a function; None if it has none."""
        requires = function.requires
        if requires is None:
            return None
        root, owner = self.layout.root, self._owner(function)
        make = lambda: dependencies.read(root, requires, owner, self._parsed)  # noqa: E731
        return self.remembered(("requirements", requires, owner), None, make)

    def _owner(self, function: Function) -> str:
        """Return the project whose part of a lock of another tool a function takes."""
        if function.lockfile is not None:
            return ""
        return locations.project_folder(self.layout.root, function.source)

    def _parsed(self, path: str) -> dict[str, Any]:
        """Return the content of a lockfile of another tool, parsed once for all functions."""
        from buildlib.lock import formats  # with parsers

        name, root = ("parsed", path), self.layout.root
        return self.remembered(name, None, lambda: formats.parse(root, path))

    def trees(self, function: Function) -> list[Include]:
        """Return all files and folders of the repository that go into a function's ZIP."""
        needed = self.requirements(function)
        return sources.trees(function, needed.packages if needed else ())

    def lock_targets(self, function: Function) -> tuple[LockTarget, ...]:
        """Return the targets that the lockfile of a function must hold for, sorted."""
        make = lambda: targets.by_lockfile(self.manifest.functions)  # noqa: E731
        return self.remembered("targets", None, make)[function.lockfile]

    def lock_problem(self, function: Function) -> str | None:
        """Return why a lockfile is out of date, in words that follow "the lock"; else None."""
        if function.lockfile is None:
            return None
        if all(self.status(variant).unchanged for variant in variants.expand(function)):
            return None
        needed = self.requirements(function)
        if needed is None:
            return None
        path = self.layout.root / function.lockfile
        problem = lockfile.state(path, needed, self.lock_targets(function))
        if problem is None and (missing := self.unpinned_images(function)):
            problem = f"has no digest of the image {missing[0].name}"
        if problem is None and (lacking := self.unpinned_compilers(function)):
            problem = f"has no compiler for Python {lacking[0]}"
        return problem

    def wanted_images(self, function: Function) -> list[Image]:
        """Return the images that the lockfile of a function has to pin."""
        if not self._has_docker:
            return []
        return images.wanted(self.variants.values(), function.lockfile)

    def pinned_images(self, function: Function) -> list[Image]:
        """Return the images that the lockfile of a function pins."""
        if function.lockfile is None:
            return []
        path = self.layout.root / function.lockfile
        name = ("images", function.lockfile)
        return self.remembered(name, signature_of(path), lambda: lockfile.images(path))

    def unpinned_images(self, function: Function) -> list[Image]:
        """Return the images that the lockfile of a function lacks."""
        wanted = self.wanted_images(function)
        return images.missing(wanted, self.pinned_images(function)) if wanted else []

    def wanted_compilers(self, function: Function) -> list[str]:
        """Return the minor versions whose compiler the lockfile of a function has to pin."""
        if not self._has_bytecode:
            return []
        return compilers.wanted(self.variants.values(), function.lockfile)

    def pinned_compilers(self, function: Function) -> list[str]:
        """Return the full versions of CPython that the lockfile of a function pins."""
        if function.lockfile is None or not self._has_bytecode:
            return []
        path = self.layout.root / function.lockfile
        name = ("compilers", function.lockfile)
        return self.remembered(name, signature_of(path), lambda: lockfile.compilers(path))

    def compiler(self, variant: Variant) -> str:
        """Return the full version of the CPython that compiles a variant; empty without bytecode.

        Raises:
            LockError: neither the manifest nor the lockfile has it.

        """
        return compilers.version(variant, self.pinned_compilers(variant.function))

    def unpinned_compilers(self, function: Function) -> list[str]:
        """Return the minor versions whose compiler the lockfile of a function lacks."""
        wanted = self.wanted_compilers(function)
        return compilers.missing(wanted, self.pinned_compilers(function)) if wanted else []

    def inputs(self, variant: Variant) -> Inputs:
        """Return all inputs of a variant as they are now.

        Raises:
            BuildError: the lockfile is missing or unusable, or a source cannot be in a ZIP.

        """
        state = self._lock_state(variant.function)
        return self.remembered(("inputs", variant.id), state, lambda: self._inputs(variant))

    def _lock_state(self, function: Function) -> Hashable:
        """Return the status of the locks that decide about a function's dependencies."""
        paths = [one.lockfile or one.requirements for one in self.with_layers(function)]
        return tuple(signature_of(self._root + path) for path in paths if path)

    def _environment(self, variant: Variant) -> tuple[tuple[Pin, ...], str, str]:
        """Return the pins of a variant, the image to install them in, and their compiler."""
        function = variant.function
        pinned = self.pinned_images(function) if function.docker else []
        return self.pins(variant), images.reference(variant, pinned), self.compiler(variant)

    def environment_recipe(self, variant: Variant) -> recipe.Recipe:
        """Return the recipe of a variant's environment, without a look at its sources.

        Raises:
            BuildError: the lockfile is missing or unusable.

        """
        return recipe.environment_recipe(variant, *self._environment(variant))

    def _inputs(self, variant: Variant) -> Inputs:
        function = variant.function
        needed = self.requirements(function)
        pins, image, compiler = self._environment(variant)
        notes, hints = self._unread.check(variant, pins)
        notes += layers.without_runtime(self.locked(variant), variant)[1]
        own = [*self.sources(function), *self._pinned(variant)]
        environment = recipe.environment_recipe(variant, pins, image, compiler)
        artifact = recipe.artifact_recipe(variant, environment, [origin.file for origin in own])
        in_layers = self._services_of_layers(variant, pins)
        if in_layers is not None:  # the check of the code depends on them
            artifact["services of layers"] = list(in_layers)
        return Inputs(
            variant=variant,
            pins=pins,
            image=image,
            indexes=needed.indexes if needed else (),
            own=tuple(own),
            environment_recipe=environment,
            environment_key=recipe.key(environment),
            recipe=artifact,
            key=recipe.key(artifact),
            left_out=tuple(self.left_out(function)),
            unread=notes,
            unread_hints=hints,
            compiler=compiler,
            services=services.of_own(function, pins) or in_layers,
        )

    def _services_of_layers(self, variant: Variant, pins: Iterable[Pin]) -> tuple[str, ...] | None:
        """Return the AWS services that botocore describes in a layer; None for all."""
        found = self.layer_variants(variant)
        if not any(services.is_restricted(layer.function) for layer in found):
            return None
        return services.of_layers(pins, [(one.function, self.pins(one)) for one in found])

    def with_layers(self, function: Function) -> list[Function]:
        """Return a function and its layers."""
        return [function, *(self._by_layer[name] for name in function.layers)]

    def layer_variants(self, variant: Variant) -> list[Variant]:
        """Return the layers of a variant, each for the same Python and architecture.

        Raises:
            LockError: a layer is not declared for them.

        """
        found = []
        for name in variant.function.layers:
            target = (name, variant.python, variant.architecture)
            layer = self._layers.get(target)
            if layer is None:
                msg = (
                    f"{variant.function.title}: its layer '{name}' is not for Python "
                    f"{variant.python} on {variant.architecture}; add them to the layer's 'python' "
                    "and 'architecture'"
                )
                raise LockError(msg, "layer")
            found.append(layer)
        return found

    def declared_layers(self, variant: Variant) -> list[Variant]:
        """Return the layers of a variant; none if one is not declared for its target."""
        try:
            return self.layer_variants(variant)
        except LockError:  # a build says so
            return []

    def pins(self, variant: Variant) -> tuple[Pin, ...]:
        """Return the pins of a variant that go into its ZIP: those that no layer has.

        Raises:
            LockError: the lockfile is missing or unusable, or a layer has other versions.

        """
        pins = self.locked(variant)
        for layer in self.layer_variants(variant):
            pins = layers.without(pins, self.locked(layer), variant, layer.function)
        return layers.without_runtime(pins, variant)[0]

    def locked(self, variant: Variant) -> tuple[Pin, ...]:
        """Return all pins of a variant in its lockfile.

        Raises:
            LockError: the lockfile is missing or unusable.

        """
        shown = variant.function.lockfile
        if shown is None:
            return self._foreign(variant)
        path = self.layout.root / shown
        name = ("pins", shown, variant.python, variant.architecture)
        make = lambda: lockfile.pins(path, shown, variant)  # noqa: E731
        return self.remembered(name, signature_of(path), make)

    def _pinned(self, variant: Variant) -> list[Origin]:
        """Return the files of the web that a variant pins.

        Raises:
            StageError: one of them has the path of an own file.

        """
        if not variant.function.files:
            return []
        found = pinned.origins(variant, self.layout)
        known = {origin.file.path: origin for origin in self.sources(variant.function)}
        problems = []
        for origin in found:
            other = known.setdefault(origin.file.path, origin)
            if other is not origin:
                problems.append(
                    f"{variant.function.title}: {other.path} and a file of 'files' both "
                    f"become '{origin.file.path}' in the ZIP; name another place with 'as'"
                )
        if problems:
            raise StageError("\n".join(problems), "file-twice")
        return found

    def fetch(self, inputs: Inputs) -> Inputs:
        """Return inputs whose files of the web are in build/."""
        if not inputs.variant.function.files:
            return inputs
        own = pinned.fetched(inputs.variant, inputs.own, self.layout, self.digests)
        return inputs._replace(own=own)

    def _foreign(self, variant: Variant) -> tuple[Pin, ...]:
        """Return the pins of a variant in a lock of another tool, once for all alike."""
        function = variant.function
        needed = self.requirements(function)
        take = needed.pins if needed else None
        if take is None:
            return ()
        builds = (function.docker is not None, function.allow_sdist)
        target = (variant.python, variant.architecture, builds)
        name = ("foreign", function.requires, self._owner(function), target)
        return self.remembered(name, None, lambda: take(variant))

    def sources(self, function: Function) -> list[Origin]:
        """Return the own files of a function."""
        return self._sources(function)[0]

    def left_out(self, function: Function) -> list[str]:
        """Return the paths that are left out of a function's ZIP by default."""
        return self._sources(function)[1]

    def pruned(self, function: Function) -> list[str]:
        """Return the paths of the modules that are left out by `prune`."""
        return self._sources(function)[2]

    def _sources(self, function: Function) -> tuple[list[Origin], list[str], list[str]]:
        def make() -> tuple[list[Origin], list[str], list[str]]:
            self._clock.begin()
            needed = self.requirements(function)
            # Of thousands of functions, each would copy the paths of all others.
            every = self.remembered("not code", None, self._not_code)
            not_code = ChainMap(dict.fromkeys(needed.files if needed else ()), every)
            packages = needed.packages if needed else ()
            left: list[str] = []
            arguments = (self.layout.root, function, self.digests, not_code, left.append, packages)
            own, pruned = sources.sources(*arguments), list[str]()
            if "prune" in dict(function.options):
                own, pruned = self._prune(function, own, [*function.include, *packages])
            return own, left, pruned

        return self.remembered(("sources", function.name), None, make)

    def _not_code(self) -> dict[str, None]:
        """Return the requirements and the lockfiles of all functions, which are in no ZIP."""
        functions = self.manifest.functions
        paths = [path for one in functions if one.requires for path in one.requires.paths]
        return dict.fromkeys([*paths, *(one.lockfile for one in functions if one.lockfile)])

    def _prune(
        self, function: Function, own: list[Origin], named: list[Include]
    ) -> tuple[list[Origin], list[str]]:
        from buildlib.tree import prune  # with a parser

        read = self.remembered("modules", None, lambda: prune.reader_of(self.layout.root))
        return prune.prune(function, own, named, read)

    # -- how far each variant is -----------------------------------------------------------------

    def status(self, variant: Variant) -> Status:
        """Return how far a variant is; the one answer, for as long as its files are the same.

        Raises:
            BuildError: a source cannot be in a ZIP.

        """
        stamp, path, *_ = outputs(variant)
        state = (
            self._lock_state(variant.function),
            signature_of(self._root + stamp),
            signature_of(self._root + path),
        )
        return self.remembered(("status", variant.id), state, lambda: self._status(variant))

    def _status(self, variant: Variant) -> Status:
        paths = outputs(variant)
        written = self._fingerprints.find(variant, self._constants(variant), paths)
        if written is not None:
            return Status(written, unchanged=True, stored=False)
        try:
            key = self.inputs(variant).key
        except LockError:  # without a usable lockfile there are no inputs to be finished with
            return Status(None, unchanged=False, stored=False)
        written = stamped(self.layout.root / paths[0], key)
        if written is not None and self._digest(self._root + paths[1]) == written.sha256:
            return Status(written, unchanged=False, stored=False)
        return Status(None, unchanged=False, stored=self.cache.store.find(key) is not None)

    def _digest(self, path: str) -> str | None:
        try:
            return self.digests.sha256_of(path, os.stat(path))
        except (FileNotFoundError, IsADirectoryError):
            return None

    def note_finished(self, variant: Variant, written: Written) -> None:
        """Keep the fingerprint of a variant of which every step is done."""
        needed = self.requirements(variant.function)
        names = set(needed.files if needed else ())
        for layer in self.layer_variants(variant):
            locked = self.requirements(layer.function)
            names |= locked.files if locked else set()
            names |= {layer.function.lockfile} if layer.function.lockfile else set()
        trees = {tree.path for tree in self.trees(variant.function)}
        self._fingerprints.note(
            variant, self._constants(variant), outputs(variant), (names, trees), written
        )

    def _constants(self, variant: Variant) -> str:
        targets = " ".join(target.id for target in self.lock_targets(variant.function))
        declared = self._unread.state(variant.function)
        if variant.function.gitignore:
            paths = [tree.path for tree in sources.trees(variant.function)]
            declared += repr(gitignore.state(self.layout.root, paths))
        for layer in self.with_layers(variant.function)[1:]:
            declared += services.named(layer)
        return f"{recipe.constants()} {left_out.RULES} {targets} {declared}"

    # -- the files that describe all variants ----------------------------------------------------

    def index(self) -> Mapping[str, Entry]:
        """Return the index of the artifacts."""
        return self.listing.entries()

    def recorded(self) -> dict[str, hashes.Entry]:
        """Return the expected hashes, as `lambdas record` wrote them; empty without the file."""
        state = signature_of(self.layout.hashes)
        return self.remembered("hashes", state, lambda: hashes.read(self.layout))

    def forget(self) -> None:
        """Forget digests and fingerprints, after their files were removed; none is saved again."""
        self._saves = False
        self.digests = Digests(self.layout.root, self.layout.digests, self._clock)
        self._fingerprints = Fingerprints(self.layout.root, self.layout.fingerprints, self._clock)

    def save(self) -> None:
        """Write the index, and keep digests and fingerprints for the next run."""
        if not self._saves:
            return
        self.listing.flush()
        self.digests.save()
        self._fingerprints.save()

    def __getstate__(self) -> dict[str, Any]:
        """Drop the answers that another process must read for itself."""
        return self.__dict__ | {"_memory": {}, "farm": None}
