"""The driver: it does a step of a variant, after the earlier steps whose results are gone.

`_Work` tells the whole story, from the pinned dependencies to the ZIP in dist/: each method returns
the work of its step, and makes it if it is gone.
"""

import contextlib
import hashlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from buildlib.artifacts import growth, hashes, index, limits
from buildlib.errors import InstallError, MergeError, StagedFileError, StageError
from buildlib.files import locks
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES
from buildlib.steps import bytecode, evidence, shared, stage, times, touch, venv
from buildlib.steps import hash as description
from buildlib.steps import zip as archive
from buildlib.steps.pending import STEPS, build_reasons, reason
from buildlib.steps.stage import InLayers, Staged
from buildlib.steps.summary import BY_ORIGIN, DESCRIBED, Done
from buildlib.steps.venv import Environment
from buildlib.tree import metadata

if TYPE_CHECKING:
    from buildlib.archive.savings import Files

_logger = logging.getLogger(__name__)


def build(project: Project, variant: Variant) -> Iterator[tuple[str, Done]]:
    """Do the pending steps of a variant, the lockfile first; yield the result of each.

    Raises:
        BuildError: as the steps do.

    """
    for function in project.with_layers(variant.function):
        shared.make_lock(project, function)
    for step in STEPS:
        if reason(project, variant, step.name) is not None:
            yield step.name, perform(project, variant, step.name)
    confirm(project, variant)


def perform(
    project: Project, variant: Variant, step: str, *, named: bool = False, forced: str = ""
) -> Done:
    """Do one step of a variant, after the steps before it whose work is gone.

    With `forced`, the reason why, the step is done although it is up to date. Processes that want
    the same variant wait for each other, and the second one finds it done.

    Raises:
        BuildError: as the steps do.

    """
    # An environment has a lock of its own, by its key: variants share it.
    lock = locks.locked(project.layout.lock(f"build-{variant.id}"))
    with contextlib.nullcontext() if step == "venv" else lock:
        if not forced and reason(project, variant, step, named=named) is None:
            return Done()
        key = project.inputs(variant).key
        turn = _small if _is_small(project, variant) else contextlib.nullcontext()
        with turn, times.timed(project.layout, step, variant.id, key):
            work = _Work(project, variant, forced)
            steps = {
                "venv": lambda: work.environment(again=bool(forced)),
                "stage": lambda: work.stage(again=bool(forced)),
                "touch": work.touch,
                "zip": lambda: work.zip(again=bool(forced)),
                "hash": work.hash,
            }
            result = steps[step]()
        done = result if isinstance(result, Done) else Done()
        notes = done.notes + (work.inputs.unread if step == "stage" else ())
        return done._replace(notes=notes, doubts=done.doubts + tuple(work.doubts))


# A small step takes less than a millisecond, most of it in Python and in the file system, where
# threads wait for each other: two at once take longer than one after the other.
_small = threading.Lock()

_SMALL = 1 << 20  # bytes of own files


def _is_small(project: Project, variant: Variant) -> bool:
    """Tell whether the steps of a variant neither wait for anything nor compress much."""
    function = variant.function
    has_more = function.requires or function.layers or function.files or function.bytecode
    if has_more or project.remote.is_configured or project.farm is not None:
        return False
    return sum(origin.file.size for origin in project.inputs(variant).own) < _SMALL


def adopt(project: Project, variant: Variant, path: Path, sha256: str) -> None:
    """Publish a ZIP of a variant's present inputs that another machine built.

    Nothing is installed. Publish layers before the functions that use them, because their sizes
    count together.

    Raises:
        BuildError: the file does not have its sha256, or Lambda does not take the ZIP.

    """
    from buildlib.archive import contents
    from buildlib.cache import digests

    layout = project.layout
    with (
        locks.locked(layout.lock(f"build-{variant.id}")),
        index.new_zip(layout, variant.id) as new,
    ):
        shutil.copyfile(path, new)
        if digests.sha256(new) != sha256:
            msg = f"{path}: changed while it was copied; run 'lambdas merge' again"
            raise MergeError(msg)
        work = _Work(project, variant, "")
        written = Written(sha256, new.stat().st_size, contents.unzipped_size(new))
        work.publish(written, new, None, "store")
        work.keep(written)


def confirm(project: Project, variant: Variant) -> None:
    """Keep the fingerprint of a variant that is finished: the last act of a run."""
    status = project.status(variant)
    if status.written is None or status.unchanged:
        return
    if reason(project, variant, "hash") is None and not project.lock_problem(variant.function):
        project.note_finished(variant, status.written)


class _Work:
    """The steps of one variant, each with the healing of those before it."""

    def __init__(self, project: Project, variant: Variant, forced: str) -> None:
        self.project, self.variant, self.forced = project, variant, forced
        self.doubts: list[tuple[str, str]] = []  # those that no earlier run has said
        self.inputs, self.layout = project.inputs(variant), project.layout

    def environment(self, *, again: bool = False) -> Environment:
        """Return the environment, after installing it if need be."""
        present = venv.load(self.layout, self.inputs.environment_key)
        # Variants that share an environment install it once a run, also if all are forced.
        if present is not None and not (again and present.run != self.project.run):
            return present
        return self._install(replace=again)

    def _install(self, *, replace: bool, verify: bool = False) -> Environment:
        project = self.project
        return venv.install(
            self.inputs, self.layout, project.run, project.cache, replace=replace, verify=verify
        )

    def stage(self, *, again: bool = False) -> Staged:
        """Stage the tree: its changed own files, or all of it."""
        earlier = stage.staged(self.project, self.variant)
        try:
            staged = self._staged(None if again else earlier)
        except StageError as error:
            if error.kind == "changed":  # or its digest was remembered wrongly
                self.project.digests.forget()
            if error.kind == "import-missing" and self.inputs.unread_hints:
                msg = "\n".join([str(error), *self.inputs.unread_hints])
                raise StageError(msg, "import-missing") from None
            raise
        said = {_without_line(doubt) for doubt in (earlier.doubts if earlier else ())}
        self.doubts += (doubt for doubt in staged.doubts if _without_line(doubt) not in said)
        return staged

    def _staged(self, previous: Staged | None) -> Staged:
        layout, run = self.layout, self.project.run
        inputs = self.project.fetch(self.inputs)
        self.inputs = bytecode.of_own(inputs, layout, self.project.cache)
        if (
            previous is not None
            and metadata.is_touched(layout.staged(self.variant.id))
            and stage.only_own_contents_changed(previous, self.inputs, layout)
        ):
            return stage.stage_own(previous, self.inputs, layout, run, self._provided)
        try:
            environment = self.environment()
            return stage.stage_all(previous, self.inputs, environment, layout, run, self._provided)
        except InstallError as error:
            if error.kind != "environment-damaged":
                raise
        environment = self._install(replace=True, verify=True)
        return stage.stage_all(previous, self.inputs, environment, layout, run, self._provided)

    def _layers(self) -> "list[_Work]":
        """Return the work of the layers, each for the same Python and architecture."""
        variants = self.project.layer_variants(self.variant)
        return [_Work(self.project, variant, "") for variant in variants]

    def _provided(self) -> InLayers:
        """Return the modules in the layers, as they are imported, and those that are not found."""
        found: set[str] = set()
        unseen: dict[str, tuple[str, str]] = {}
        for layer in self._layers():
            function = layer.variant.function
            found |= {file.path for file in layer.environment().files}
            for origin in layer.inputs.own:
                path = origin.file.path
                if path.startswith(function.prefix):
                    found.add(path.removeprefix(function.prefix))
                elif path.endswith(".py"):
                    unseen.setdefault(path, (function.name, origin.path))
        return InLayers(found, unseen)

    def unzipped_size(self) -> int:
        """Return the size of all files of a layer, in bytes."""
        farm = self.project.farm
        written = self.project.status(self.variant).written
        if written is None and farm is not None and farm.wait(self.variant):
            written = self.project.cache.store.find(self.inputs.key)
        if written is not None:
            return written.unzipped_size
        own = sum(origin.file.size for origin in self.inputs.own)
        return own + sum(file.size for file in self.environment().files)

    def touch(self) -> Staged:
        """Give the staged tree its canonical metadata."""
        staged = stage.staged(self.project, self.variant)
        if staged is None or staged.key != self.inputs.key:
            staged = self.stage()
        touch.touch(staged, self.layout, self.variant.id)
        return staged

    def zip(self, *, again: bool = False) -> Done:
        """Publish the ZIP of the present inputs: from the cache, or written from the tree."""
        written = self.project.status(self.variant).written
        if written is not None and not again:
            self._check_zip(written, self.layout.zip(self.variant.id))  # it may be lower now
        if not again and (taken := self._take()):
            return taken
        staged = stage.staged(self.project, self.variant)
        if staged is None or staged.key != self.inputs.key:
            staged = self.touch()
        try:
            return self._write(staged, again=again)
        except StagedFileError:
            # Something wrote to a file in build/ or in uv's cache: nothing there can be trusted.
            stage.clean(self.layout, self.variant.id)
            self._install(replace=True, verify=True)
            return self._write(self.touch(), again=again)

    def hash(self) -> Done:
        """Repair the files that describe the ZIP; publish the ZIP itself if it is not in dist/."""
        written = self.project.status(self.variant).written
        if written is None:
            return self.zip()
        from buildlib.archive import contents

        why = self.forced or reason(self.project, self.variant, "hash") or ""
        if contents.unzipped_size(self.layout.zip(self.variant.id)) != written.unzipped_size:
            archive.forget(self.layout, self.variant.id)  # it is not the record of this ZIP
            return self.zip()
        self._check_zip(written, self.layout.zip(self.variant.id))
        project = self.project
        declared = project.variants.values()
        description.publish(
            self.inputs,
            written,
            self.layout,
            project.digests,
            project.listing,
            declared=declared,
            layers=evidence.layers(project, self.variant),
        )
        return Done(DESCRIBED, (why,), written, written)

    def _check_zip(self, written: Written, path: Path) -> None:
        """Stop at a ZIP that is over its limit."""

        def files() -> "Files":
            from buildlib.archive import contents  # only for the message

            return contents.of_zip(path)

        self._check_size(written.unzipped_size, files)
        if self.variant.function.size_growth is not None:
            both = (files, self._earlier)
            growth.check(self.variant, written, self._recorded(), both, self.inputs.own)

    def _recorded(self) -> Written | None:
        """Return the recorded ZIP, over which this one may grow; None without its sizes."""
        return hashes.sizes(self.project.recorded().get(self.variant.id))

    def _earlier(self) -> "Files | None":
        """Return the files of the recorded ZIP, if it is still in dist/ or in the cache."""
        from buildlib.archive import contents  # only for the message

        recorded = self.project.recorded()[self.variant.id]
        stored = self.project.cache.store.path(recorded["key"])
        paths = (self.layout.zip(self.variant.id), stored)
        for path in paths:
            with contextlib.suppress(OSError):
                if hashlib.sha256(path.read_bytes()).hexdigest() == recorded["sha256"]:
                    return contents.of_zip(path)
        return None

    def _check_size(self, size: int, files: "Callable[[], Files]") -> None:
        self._check_together(size)
        requirements = self.project.requirements(self.variant.function)
        required = {entry.name for entry in requirements.entries} if requirements else set[str]()
        limits.check_unzipped(self.variant, size, files, self.inputs.own, required)

    def _check_together(self, size: int) -> None:
        """Stop at a function that is over the limit together with its layers."""
        if not self.variant.function.layers:
            return
        sizes = {work.variant.function.name: work.unzipped_size() for work in self._layers()}
        limits.check_together(self.variant, size, sizes)

    def _take(self) -> Done | None:
        """Publish the ZIP that another build made; None if none did, or it is damaged.

        It is in the cache, where a farm puts its ZIPs, too, or in the remote cache.
        """
        farm = self.project.farm
        built = farm.wait(self.variant) if farm is not None else None
        with index.new_zip(self.layout, self.variant.id) as new:
            written = self.project.cache.store.take(self.inputs.key, new)
            if written is None:
                return self._fetch(new)
            from buildlib.archive import contents

            size = contents.unzipped_size(new)  # the record of a shared store may say anything
            written = written._replace(unzipped_size=size)
            if built is None:
                return self.publish(written, new, None, "store")
            self.project.remote.check(self.variant, new, written)
            done = self.publish(written, new, None, "farm")
        self.project.remote.put(self.variant, self.layout.zip(self.variant.id), written)
        return done._replace(notes=done.notes + built.notes, doubts=built.doubts)

    def _fetch(self, new: Path) -> Done | None:
        """Publish the ZIP that the remote has, and add it to the machine's cache."""
        if (written := self.project.remote.take(self.variant, new)) is None:
            return None
        done = self.publish(written, new, None, "remote")
        self.keep(written)
        return done

    def _write(self, staged: Staged, *, again: bool) -> Done:
        previous = None if again else archive.load(self.layout, self.variant.id)
        project = self.project
        packs = project.remote.packs(self.variant)
        source = archive.Source(
            self.inputs, staged, self.layout, project.digests, project.cache, packs
        )
        # All sizes are known: a tree that is too large is not compressed.
        self._check_size(source.size, lambda: archive.files(source))
        with index.new_zip(self.layout, self.variant.id) as new:
            written, members = archive.write(source, previous, new)
            self.project.remote.check(self.variant, new, written)
            done = self.publish(written, new, members, "build")
        self.keep(written)
        self.project.remote.put(self.variant, self.layout.zip(self.variant.id), written)
        return done

    def publish(
        self, written: Written, new: Path, members: archive.Members | None, origin: str
    ) -> Done:
        """Publish a ZIP that Lambda takes; record its inputs, the reasons and the ZIP before it."""
        project, variant, layout = self.project, self.variant, self.layout
        self._check_zip(written, new)
        if warning := limits.warning(variant, written):
            _logger.warning("%s", warning)
        hashes.check(project.recorded(), variant, self.inputs.key, written.sha256)
        before = archive.load(layout, variant.id)
        reasons = build_reasons(project, variant, self.forced)
        declared = project.variants.values()
        listing, digests = project.listing, project.digests
        description.publish(
            self.inputs,
            written,
            layout,
            digests,
            listing,
            declared=declared,
            layers=evidence.layers(project, variant),
            new=new,
        )
        stamp = archive.Stamp(
            key=self.inputs.key,
            recipe=self.inputs.recipe,
            written=written,
            reasons=reasons,
            origin=origin,
            previous=before.written if before else None,
            run=project.run,
            members=members,
        )
        archive.write_stamp(layout, variant.id, stamp)
        digests.wrote(str(layout.zip(variant.id)), written.sha256)
        notice = RUNTIMES[variant.python].notice(datetime.now(UTC).date().isoformat())
        notes = (notice,) if notice else ()
        if variant.function.size_growth is not None and self._recorded() is None:
            notes = (*notes, growth.UNKNOWN)
        return Done(BY_ORIGIN[origin], tuple(reasons), written, stamp.previous, notes)

    def keep(self, written: Written) -> None:
        """Add the ZIP in dist/ to the cache."""
        project, path = self.project, self.layout.zip(self.variant.id)
        project.cache.store.put(self.inputs.key, path, written)
        project.cache.added(written.size)
        project.digests.wrote(str(path), written.sha256)  # last: the store's link changed it


def _without_line(doubt: tuple[str, str]) -> tuple[str, str]:
    """Return a warning with the file that it is about: another line is no news."""
    return doubt[0], doubt[1].rpartition(":")[0]
