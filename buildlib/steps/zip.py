"""The step `zip`: a staged tree to a ZIP. Members that the previous ZIP has are copied from it.

Lists say which members may be copied: those with the same name and content, compressed by the same
rules. The CRC-32 of the previous ZIP, taken while it is read, proves that it is the ZIP that those
lists describe.
"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildlib import contract, recipe
from buildlib.archive import compressed, hashing, writer
from buildlib.archive.previous import PreviousZip
from buildlib.cache.digests import Digests
from buildlib.errors import ArchiveError
from buildlib.files import atomic, locks, records
from buildlib.files.names import is_below
from buildlib.layout import Layout
from buildlib.model import CompressedMember, File, Origin, Variant, Written
from buildlib.project.inputs import Inputs
from buildlib.recipe import Recipe
from buildlib.steps.stage import Staged, dependencies, read_list

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

    @property
    def variant(self) -> Variant:
        """The variant that is written."""
        return self.inputs.variant


def files(source: Source) -> "Files":
    """Return the files of the staged tree, for a message about their sizes."""
    from buildlib.archive import contents  # only for that message

    staged, layout = source.staged, source.layout
    others = dependencies(staged, layout, source.variant)
    own = [origin.file for origin in staged.own]
    return contents.of_tree([*others, *own], layout.staged(source.variant.id))


def write(source: Source, previous: Stamp | None, target: Path) -> tuple[Written, Members]:
    """Write the ZIP of a staged tree to `target`.

    Raises:
        StagedFileError: a staged file changed since it was staged.

    """
    written = _written(source, previous, target)
    variant, layout, staged = source.variant, source.layout, source.staged
    before = previous.members if previous else None
    if before is None or before.dependencies != staged.dependencies:
        content = layout.dependencies("stage", variant.id).read_bytes()
        atomic.write(layout.dependencies("zip", variant.id), content, ours=True)
    names = [origin.file.path for origin in staged.own]
    return written, Members(_form(variant), hashing.crc32(target), names, staged.dependencies)


def _written(source: Source, previous: Stamp | None, target: Path) -> Written:
    reused = _reusable(source, previous) if previous else None
    if reused is not None:
        with contextlib.suppress(ArchiveError, FileNotFoundError):
            return writer.write(target, _members(source, reused.new_files, reuse=[]), reused.zip)
    others = dependencies(source.staged, source.layout, source.variant)
    origins = source.staged.own + _dependencies(others)
    packs = _packs(source.layout, previous)
    return writer.write(target, _members(source, origins, reuse=packs))


class _Reusable(NamedTuple):
    """The previous ZIP, and the files whose members it does not have."""

    zip: PreviousZip
    new_files: list[Origin]


def _reusable(source: Source, previous: Stamp) -> _Reusable | None:
    """Return the previous ZIP if members may be copied from it."""
    members = previous.members
    if members is None or members.form != _form(source.variant):
        return None
    omitted, new_files = set(members.own), list(source.staged.own)
    old_environment = previous.recipe["environment"]
    is_another = old_environment != source.inputs.environment_recipe
    if is_another or members.dependencies != source.staged.dependencies:
        path = source.layout.dependencies("zip", source.variant.id)
        old_files = read_list(path, members.dependencies)
        if old_files is None:
            return None
        files = dependencies(source.staged, source.layout, source.variant)
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
    compressed.check(_contents(source, _dependencies(unread)))


def _files_of_new_wheels(source: Source, old_environment: Recipe) -> set[str] | None:
    """Return the files of wheels that the old environment did not have; None means all files."""
    environment = source.inputs.environment_recipe
    names = {*old_environment, *environment} - {"packages"}
    if any(old_environment.get(name) != environment.get(name) for name in names):
        return None
    old_pins = old_environment["packages"]
    new = {name for name, pin in environment["packages"].items() if old_pins.get(name) != pin}
    from buildlib.environment import record

    tree = source.layout.environment_tree(source.inputs.environment_key)
    prefix = source.variant.function.prefix
    return {prefix + path for path in record.files_of(tree, new)}


def _form(variant: Variant) -> list[object]:
    """Return all that decides about a member, besides its name and content."""
    return [contract.CONTRACT, contract.encoder(), variant.function.compression]


def _dependencies(files: Iterable[File]) -> list[Origin]:
    return [Origin(file, file.path, dependency=True) for file in files]


def _packs(layout: Layout, previous: Stamp | None) -> list[Path]:
    """Return packs with members of an earlier environment, besides that of the present one."""
    if previous is None:
        return []
    return [layout.environment_pack(recipe.key(previous.recipe["environment"]))]


def _contents(source: Source, origins: Iterable[Origin]) -> list[compressed.Content]:
    tree = f"{source.layout.staged(source.variant.id)}{os.sep}"
    return [compressed.Content(tree + o.file.path, o.file.sha256, o.file.size) for o in origins]


def _members(
    source: Source, origins: Sequence[Origin], *, reuse: Sequence[Path]
) -> list[tuple[str, CompressedMember]]:
    """Return members for the ZIP; those of dependencies are shared by their environment."""
    layout, contents = source.layout, _contents(source, origins)
    if source.variant.function.compression == "stored":
        pairs = zip(origins, contents, strict=True)
        return [(origin.file.path, compressed.stored(content)) for origin, content in pairs]
    shared: list[compressed.Content] = []
    own: list[compressed.Content] = []
    for origin, content in zip(origins, contents, strict=True):
        (shared if origin.dependency else own).append(content)
    members: dict[str, CompressedMember] = {}
    if shared:
        path = layout.environment_pack(source.inputs.environment_key)
        with locks.locked(layout.lock(path.name)):
            others = [other for other in reuse if other != path]
            members |= _compressed(source, path, shared, others, keep=True)
    members |= _compressed(source, layout.own_pack(source.variant.id), own, [], keep=False)
    return [(origin.file.path, members[origin.file.sha256]) for origin in origins]


def _compressed(
    source: Source,
    pack: Path,
    contents: Sequence[compressed.Content],
    reuse: Sequence[Path],
    *,
    keep: bool,
) -> dict[str, CompressedMember]:
    return compressed.compressed(
        pack,
        contents,
        reuse=reuse,
        keep=keep,
        digests=source.digests,
        cores=source.layout.locks,
    )


def forget(layout: Layout, variant_id: str) -> None:
    """Remove the record of a ZIP, so that it counts as one of unknown inputs."""
    atomic.remove(layout.stamp("zip", variant_id))


def clean(layout: Layout, variant_id: str) -> None:
    """Remove the records of a ZIP, and the members that were compressed for it."""
    forget(layout, variant_id)
    atomic.remove(layout.dependencies("zip", variant_id))
    compressed.discard(layout.own_pack(variant_id))
