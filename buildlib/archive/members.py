"""The compressed members of a ZIP: from the packs of distributions, or compressed for this ZIP."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple, Protocol

from buildlib import recipe
from buildlib.archive.compress import Content, Members, compress, jobs
from buildlib.cache.digests import Digests
from buildlib.cache.machine import MachineCache

# A function's own members are held in memory up to this size in bytes, and in a file beyond it.
_HELD = 8 << 20


# The number of distributions that are claimed at once: each takes two open files.
_CLAIMED = 64


# Contents of a distribution with fewer bytes than this are compressed sooner than a pack arrives.
_WORTH_A_REQUEST = 1 << 20


class OtherPacks(Protocol):
    """The packs of other machines, each by a key of its contents."""

    def take(self, wanted: Mapping[str, Path]) -> set[str]:
        """Write the packs with these keys to files; return the keys of those that arrived."""

    def refuse(self, key: str) -> None:
        """Say that the pack which arrived for a key does not hold the contents of the key."""

    def put(self, key: str, path: Path) -> None:
        """Offer a new pack to other machines. It is read later, and its name is its sha256."""


class Place(NamedTuple):
    """Where members are kept: in the cache, with remembered digests.

    `cores` is the folder of `locks.cores`. `others` has the packs of other machines, if any.
    """

    cache: MachineCache
    digests: Digests
    cores: Path
    others: OtherPacks | None = None


class Shared(NamedTuple):
    """Members of distributions, and the contents that no pack could take."""

    members: Members
    left: list[Content]


def of_distributions(wanted: Mapping[str, Sequence[Content]], place: Place) -> Shared:
    """Return the members of distributions, with contents by distribution (see `cache.packs`).

    A missing member is compressed into a new pack. If another process is at it, its pack is taken.
    Where a pack cannot be written, such as on a full disk, the contents are left to the caller.

    Raises:
        StagedFileError: a file changed since it was staged.

    """
    shared = Shared({}, [])
    missing = _missing(wanted, place, shared)
    busy: dict[str, Sequence[Content]] = {}
    names = iter(missing)
    while some := {name: missing[name] for name in itertools.islice(names, _CLAIMED)}:
        busy |= _add(some, place, shared, wait=False)
    for name, contents in busy.items():  # holding no claim, or two processes would wait for ever
        _add({name: contents}, place, shared, wait=True)
    return shared


def _missing(
    wanted: Mapping[str, Sequence[Content]], place: Place, shared: Shared
) -> dict[str, Sequence[Content]]:
    """Take the members that packs have; return the contents of the others."""
    missing: dict[str, Sequence[Content]] = {}
    for name, contents in wanted.items():
        found = place.cache.packs.load(name, place.digests)
        needed = {content.sha256: content for content in contents}
        shared.members.update({digest: found[digest] for digest in needed.keys() & found.keys()})
        if lacks := [one for digest, one in needed.items() if digest not in found]:
            missing[name] = lacks
    return missing


def _add(
    missing: Mapping[str, Sequence[Content]], place: Place, shared: Shared, *, wait: bool
) -> dict[str, Sequence[Content]]:
    """Add missing members to the packs; return the contents that another process works on."""
    claimed: dict[str, Sequence[Content]] = {}
    busy: dict[str, Sequence[Content]] = {}
    with contextlib.ExitStack() as claims:
        for name, contents in missing.items():
            try:
                claim = claims.enter_context(place.cache.packs.claimed(name, wait=wait))
                (claimed if claim else busy)[name] = contents
            except OSError:  # a read-only cache, or a full disk
                shared.left.extend(contents)
        # Another process may have added some meanwhile.
        new = _missing(claimed, place, shared)
        try:
            if place.others:
                _fetch(new, place, place.others)
                new = _missing(new, place, shared)
            shared.members.update(_compressed(new, place))
        except OSError:
            shared.left.extend(itertools.chain.from_iterable(new.values()))
    return busy


def _keys(missing: Mapping[str, Sequence[Content]]) -> dict[str, str]:
    """Return the key of the pack of each distribution that is worth a request.

    A pack has exactly these contents of one distribution.
    """
    return {
        name: recipe.key({"distribution": name, "contents": sorted(one.sha256 for one in contents)})
        for name, contents in missing.items()
        if sum(one.size for one in contents) >= _WORTH_A_REQUEST
    }


def _fetch(missing: Mapping[str, Sequence[Content]], place: Place, others: OtherPacks) -> None:
    """Add packs of other machines with missing members, which are decompressed and compared.

    Raises:
        OSError: a pack cannot be written.

    """
    packs = place.cache.packs
    with contextlib.ExitStack() as stack:
        targets = {
            key: (name, stack.enter_context(packs.arriving(name)))
            for name, key in _keys(missing).items()
        }
        for key in others.take({key: target for key, (_, target) in targets.items()}):
            name, target = targets[key]
            if size := packs.adopt(name, target, place.digests):
                place.cache.added(size)
            else:
                others.refuse(key)


def _compressed(missing: Mapping[str, Sequence[Content]], place: Place) -> Members:
    """Compress contents into new packs, one for each distribution.

    Raises:
        OSError: a pack cannot be written.

    """
    with contextlib.ExitStack() as stack:
        add = place.cache.packs.adding
        packs = {name: stack.enter_context(add(name, place.digests)) for name in missing}
        todo = (job for name, contents in missing.items() for job in jobs(contents, name))
        for job, members, data in compress(todo, place.cores):
            packs[job.name].add(members, data)
    place.cache.added(sum(pack.size for pack in packs.values()))
    if place.others:
        for name, key in _keys(missing).items():
            place.others.put(key, Path(packs[name].path))
    return {name: member for pack in packs.values() for name, member in pack.members.items()}


@contextlib.contextmanager
def of_own(
    contents: Iterable[Content], cores: Path, folder: Path
) -> Iterator[tuple[Members, IO[bytes]]]:
    """Yield the members of contents for one ZIP, and the stream that has their data.

    Large data is in a temporary file in `folder`.

    Raises:
        StagedFileError: a file changed since it was staged.

    """
    members: Members = {}
    # A content that several files have is compressed once.
    todo = jobs({content.sha256: content for content in contents}.values())
    with SpooledTemporaryFile(_HELD, dir=str(folder)) as stream:
        offset = 0
        for _, new, data in compress(todo, cores):
            members |= {name: m._replace(offset=offset + m.offset) for name, m in new.items()}
            offset += stream.write(data)
        yield members, stream
