"""The step `zip`: a staged tree to a ZIP. Members that the previous ZIP has are copied from it.

Lists say which members may be copied: those with the same name and content, compressed by the same
rules. The CRC-32 of the previous ZIP, taken while it is read, proves that it is the ZIP that those
lists describe.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildlib import contract, recipe
from buildlib.archive import compress, hashing, members, writer
from buildlib.archive.previous import PreviousZip
from buildlib.cache.digests import Digests
from buildlib.cache.machine import MachineCache
from buildlib.environment import record
from buildlib.errors import ArchiveError
from buildlib.files import atomic, records
from buildlib.files import bytecode as paths
from buildlib.files.names import is_below
from buildlib.layout import Layout
from buildlib.model import File, Origin, Variant, Written
from buildlib.project.inputs import Inputs
from buildlib.recipe import Recipe
from buildlib.steps import venv
from buildlib.steps.stage import NO_FILES, Staged, dependencies, read_list

if TYPE_CHECKING:
    from buildlib.archive.savings import Files


class Members(NamedTuple):
    """The members of a ZIP, for the next one to copy from.

    `form` decides about the bytes of a member besides its name and content; `crc` is the CRC-32 of
    the whole file; `own` are the names of the function's own files, and `dependencies` is the
    sha256 of the list of the others.
    """

    form: list[object]
    crc: int
    own: list[str]
    dependencies: str


class Stamp(NamedTuple):
    """The record of a published ZIP: its inputs, why it was made, and the ZIP before it.

    `origin` is "build", "store" or "remote"; `members` is None unless the ZIP was built; `run` is
    the id of the run that published it.
    """

    key: str
    recipe: Recipe
    written: Written
    reasons: list[str]
    origin: str
    previous: Written | None
    run: str
    members: Members | None


_SHAPE = records.fields(
    key=records.sha256,
    recipe=lambda value: isinstance(value, dict) and _is_environment(value.get("environment")),
    written=records.WRITTEN,
    reasons=records.list_of(records.text),
    origin=records.text,
    previous=records.optional(records.WRITTEN),
    run=records.text,
    members=records.optional(
        records.row(records.sequence, records.number, records.list_of(is_below), records.sha256)
    ),
)


def _is_environment(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("packages"), dict)


def load(layout: Layout, variant_id: str) -> Stamp | None:
    """Return the stamp of a variant's ZIP, of whichever inputs; None if it is missing."""
    value = records.read(layout.stamp("zip", variant_id), _SHAPE)
    if value is None:
        return None
    members = value["members"]
    return Stamp(**value)._replace(
        written=Written(*value["written"]),
        previous=Written(*value["previous"]) if value["previous"] else None,
        members=Members(*members) if members else None,
    )


def write_stamp(layout: Layout, variant_id: str, stamp: Stamp) -> None:
    """Record a published ZIP."""
    records.write(layout.stamp("zip", variant_id), stamp._asdict())


class Source(NamedTuple):
    """A staged tree to write a ZIP of, and the place of it all."""

    inputs: Inputs
    staged: Staged
    layout: Layout
    digests: Digests
    cache: MachineCache
    other_packs: members.OtherPacks | None = None

    @property
    def variant(self) -> Variant:
        """The variant that is written."""
        return self.inputs.variant

    @property
    def own(self) -> list[Origin]:
        """The function's own files that go into the ZIP."""
        left_out = self._replaced(origin.file.path for origin in self.staged.own)
        return [origin for origin in self.staged.own if origin.file.path not in left_out]

    def others(self, files: list[File] | None = None) -> list[File]:
        """Return the files of dependencies that go into the ZIP: of `files`, or of the tree.

        Raises:
            StagedFileError: the list of the tree is lost.

        """
        if files is None:
            files = dependencies(self.staged, self.layout, self.variant)
        left_out = self._replaced(file.path for file in files)
        return [file for file in files if file.path not in left_out] if left_out else files

    def _replaced(self, names: Iterable[str]) -> set[str]:
        """Return the sources in the tree that bytecode replaces in the ZIP."""
        return set() if self.variant.function.sources else paths.replaced({*names})

    @property
    def size(self) -> int:
        """The size of all files of the ZIP, in bytes."""
        if self.variant.function.sources:
            return self.staged.size
        return sum(o.file.size for o in self.own) + sum(file.size for file in self.others())


def files(source: Source) -> "Files":
    """Return the files of the staged tree, for a message about their sizes."""
    from buildlib.archive import contents  # only for that message

    own = [origin.file for origin in source.own]
    return contents.of_tree([*source.others(), *own], source.layout.staged(source.variant.id))


def write(source: Source, previous: Stamp | None, target: Path) -> tuple[Written, Members]:
    """Write the ZIP of a staged tree to `target`.

    Raises:
        StagedFileError: a staged file changed since it was staged.

    """
    written = _written(source, previous, target)
    variant, layout, staged = source.variant, source.layout, source.staged
    before = previous.members if previous else None
    if staged.dependencies not in {NO_FILES, before and before.dependencies}:
        content = layout.dependencies("stage", variant.id).read_bytes()
        atomic.write(layout.dependencies("zip", variant.id), content, ours=True)
    names = [origin.file.path for origin in source.own]
    return written, Members(_form(variant), hashing.crc32(target), names, staged.dependencies)


def _written(source: Source, previous: Stamp | None, target: Path) -> Written:
    reused = _reusable(source, previous) if previous else None
    if reused is not None:
        with contextlib.suppress(ArchiveError, FileNotFoundError):
            return _write(source, reused.new_files, target, reused.zip)
    return _write(source, source.own + _dependencies(source.others()), target, None)


def _write(
    source: Source, origins: Sequence[Origin], target: Path, base: PreviousZip | None
) -> Written:
    """Write a ZIP of these files, and of the members of `base` that it does not omit."""
    contents = dict(zip(origins, _contents(source, origins), strict=True))
    if source.variant.function.compression == "stored":
        pairs = [(o.file.path, compress.stored(content)) for o, content in contents.items()]
        return writer.write(target, pairs, base)
    wanted, own = _by_distribution(source, contents)
    place = members.Place(source.cache, source.digests, source.layout.locks, source.other_packs)
    shared = members.of_distributions(wanted, place)
    alone = [*own, *shared.left]
    with members.of_own(alone, source.layout.locks, target.parent) as (found, stream):
        every = found | shared.members
        pairs = [(origin.file.path, every[origin.file.sha256]) for origin in origins]
        return writer.write(target, pairs, base, stream)


def _by_distribution(
    source: Source, contents: Mapping[Origin, compress.Content]
) -> tuple[dict[str, list[compress.Content]], list[compress.Content]]:
    """Return the contents by the distribution that they are from, and those of this ZIP alone.

    The name of a distribution is a key of its pin, which has the hashes of its wheels, and of its
    RECORD. So a hit proves that files of the same wheel with the same digests were read and
    compressed.
    """
    own = [content for origin, content in contents.items() if not origin.dependency]
    if len(own) == len(contents):
        return {}, own
    key = source.inputs.environment_key
    environment = venv.load(source.layout, key)
    if environment is None:  # it was removed since the tree was staged
        return {}, [*contents.values()]
    owners = record.by_path(environment.tree, environment.files)
    function = source.variant.function
    digests = {paths.shipped(file.path, function): file.sha256 for file in environment.files}
    pins = {pin.name: pin for pin in source.inputs.pins}
    names: dict[tuple[str, str], str] = {}
    wanted: dict[str, list[compress.Content]] = {}
    for origin, content in contents.items():
        if not origin.dependency:
            continue
        path = origin.file.path.removeprefix(source.variant.function.prefix)
        if digests.get(path) != content.sha256:  # rewritten for this ZIP
            own.append(content)
            continue
        owner = owners.get(paths.source_of(path), ("", ""))
        if owner not in names:
            pin = pins.get(owner[0])
            names[owner] = recipe.key({
                "encoder": contract.encoder(function.compression),
                "distribution": [pin.name, pin.version, *pin.hashes] if pin else key,
                "record": owner[1],
            })  # fmt: skip
        wanted.setdefault(names[owner], []).append(content)
    return wanted, own


class _Reusable(NamedTuple):
    """The previous ZIP, and the files whose members it does not have."""

    zip: PreviousZip
    new_files: list[Origin]


def _reusable(source: Source, previous: Stamp) -> _Reusable | None:
    """Return the previous ZIP if members may be copied from it."""
    members = previous.members
    if members is None or members.form != _form(source.variant):
        return None
    omitted, new_files = set(members.own), source.own
    old_environment = previous.recipe["environment"]
    is_another = old_environment != source.inputs.environment_recipe
    if is_another or members.dependencies != source.staged.dependencies:
        path = source.layout.dependencies("zip", source.variant.id)
        old_files = read_list(path, members.dependencies)
        if old_files is None:
            return None
        old_files, files = source.others(old_files), source.others()
        unchanged = {*old_files} & {*files}
        if is_another:
            _check_unread(source, unchanged, old_environment)
        omitted |= {file.path for file in old_files if file not in unchanged}
        new_files += _dependencies(file for file in files if file not in unchanged)
    path = source.layout.zip(source.variant.id)
    return _Reusable(PreviousZip(path, members.crc, frozenset(omitted)), new_files)


def _check_unread(source: Source, files: Iterable[File], old_environment: Recipe) -> None:
    """Read the unchanged files of new wheels, whose RECORD nothing has been compared with yet.

    Raises:
        StagedFileError: one of them differs from its RECORD.

    """
    new_wheels = _files_of_new_wheels(source, old_environment)
    unread = [file for file in files if new_wheels is None or file.path in new_wheels]
    compress.check(_contents(source, _dependencies(unread)))


def _files_of_new_wheels(source: Source, old_environment: Recipe) -> set[str] | None:
    """Return the files of wheels that the old environment did not have; None means all files."""
    environment = source.inputs.environment_recipe
    names = {*old_environment, *environment} - {"packages"}
    if any(old_environment.get(name) != environment.get(name) for name in names):
        return None
    old_pins = old_environment["packages"]
    new = {name for name, pin in environment["packages"].items() if old_pins.get(name) != pin}
    tree = source.layout.environment_tree(source.inputs.environment_key)
    prefix = source.variant.function.prefix
    return {prefix + path for path in record.files_of(tree, new)}


def _form(variant: Variant) -> list[object]:
    """Return all that decides about a member, besides its name and content."""
    compression = variant.function.compression
    # Also for stored members: the lists of earlier versions have it.
    encoder = contract.encoder(compression) or contract.encoder()
    form: list[object] = [contract.CONTRACT, encoder, compression]
    return form if variant.function.sources else [*form, "without sources"]


def _dependencies(files: Iterable[File]) -> list[Origin]:
    return [Origin(file, file.path, dependency=True) for file in files]


def _contents(source: Source, origins: Iterable[Origin]) -> list[compress.Content]:
    tree = f"{source.layout.staged(source.variant.id)}{os.sep}"
    level = contract.level(source.variant.function.compression)
    return [
        compress.Content(tree + o.file.path, o.file.sha256, o.file.size, level) for o in origins
    ]


def forget(layout: Layout, variant_id: str) -> None:
    """Remove the record of a ZIP, so that it counts as one of unknown inputs."""
    atomic.remove(layout.stamp("zip", variant_id))


def clean(layout: Layout, variant_id: str) -> None:
    """Remove the records of a ZIP."""
    forget(layout, variant_id)
    atomic.remove(layout.dependencies("zip", variant_id))
