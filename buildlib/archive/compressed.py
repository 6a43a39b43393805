"""Compressed members, kept by content: what was compressed once is copied from then on.

A pack is a file of members' data, one after the other, and an index beside it that says by the
sha256 of the content where each is. Deflate here is a function of the content alone - one pinned
encoder, one level - so a member from a pack has the very bytes that compressing it again would
give. The index holds the sha256 of the data; a pack that does not fit is made anew.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import deflate

from buildlib import contract, progress
from buildlib.cache.digests import Digests
from buildlib.errors import StagedFileError
from buildlib.files import atomic, locks
from buildlib.model import CompressedMember
from buildlib.runtimes import UNZIPPED_LIMIT

STORED = 0


DEFLATED = 8


# Contents in memory at a time, in bytes; a single larger one is compressed alone.
_IN_FLIGHT = 32 << 20


_CHUNK = 1 << 20


class Content(NamedTuple):
    """A file to compress: where it is, and the sha256 and size that it must have."""

    path: str
    sha256: str
    size: int


def stored(content: Content) -> CompressedMember:
    """Return a member that is stored as it is, straight from its file.

    Raises:
        StagedFileError: the file is not what was staged.

    """
    digest, crc = hashlib.sha256(), 0
    with _opened(content) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            crc = deflate.crc32(chunk, crc)
    _check(content, digest.hexdigest())
    return CompressedMember(content.path, 0, content.size, content.size, crc, STORED)


def compressed(  # noqa: PLR0913 - each is one independent input
    path: Path,
    contents: Sequence[Content],
    *,
    reuse: Iterable[Path],
    keep: bool,
    digests: Digests,
    cores: Path,
) -> dict[str, CompressedMember]:
    """Return the members of `contents` by their sha256, after making sure that `path` has them.

    What is missing is compressed, the largest first, or only read and comes from the packs `reuse`:
    that they have a content does not prove that the file here is as it is said to be. With `keep`,
    members that are not in `contents` stay in the pack for others. `cores` is the folder of locks
    of the processors (see `files.cores`).
    """
    small = [content for content in contents if content.size <= UNZIPPED_LIMIT]
    large = {c.sha256: stored(c) for c in contents if c.size > UNZIPPED_LIMIT}
    present = load(path, digests)
    wanted = {content.sha256: content for content in small}
    missing = [content for digest, content in wanted.items() if digest not in present]
    surplus = not keep and present.keys() - wanted.keys()
    if missing or surplus:
        kept = {d: m for d, m in present.items() if keep or d in wanted}
        if missing:
            lent: dict[str, CompressedMember] = {}
            for other in reuse:
                lent |= load(other, digests)
            check(content for content in missing if content.sha256 in lent)
            kept |= {c.sha256: lent[c.sha256] for c in missing if c.sha256 in lent}
        rest = [content for content in missing if content.sha256 not in kept]
        many = _size(rest) > _CHUNK
        with locks.cores(cores) if many else contextlib.nullcontext(1) as threads:
            present = _write(path, kept, rest, threads)
    return {digest: present[digest] for digest in wanted} | large


def check(contents: Iterable[Content]) -> None:
    """Read the contents, on all processors.

    Raises:
        StagedFileError: one of them is not what was staged.

    """

    def one(content: Content) -> None:
        with _opened(content) as stream:
            _check(content, hashlib.file_digest(stream, "sha256").hexdigest())

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(one, contents):
            pass


def load(path: Path, digests: Digests) -> dict[str, CompressedMember]:
    """Return the members of a pack; none if it is not there, damaged or of another encoder."""
    index = atomic.read_json(_index(path))
    if not isinstance(index, dict) or index.get("encoder") != contract.encoder():
        return {}
    try:
        intact = digests.of(str(path), path.stat()) == index.get("sha256")
    except OSError:
        return {}
    if not intact:
        return {}
    name = str(path)
    return {digest: CompressedMember(name, *place) for digest, place in index["members"].items()}


def discard(path: Path) -> None:
    """Remove a pack."""
    atomic.remove(path)
    atomic.remove(_index(path))


def _index(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _write(
    path: Path, kept: Mapping[str, CompressedMember], contents: Sequence[Content], threads: int
) -> dict[str, CompressedMember]:
    """Write a pack of members that are copied and contents that are compressed."""
    members: dict[str, CompressedMember] = {}
    whole = hashlib.sha256()
    offset = 0
    with atomic.replacing(path) as temporary, temporary.open("wb") as output:

        def add(found: Mapping[str, CompressedMember], data: bytes | bytearray) -> None:
            nonlocal offset
            output.write(data)
            whole.update(data)
            for digest, (_, place, *rest) in found.items():
                members[digest] = CompressedMember(str(path), offset + place, *rest)
            offset += len(data)

        with _Reader() as reader:
            for digest, member in kept.items():
                add({digest: member._replace(offset=0)}, reader.data(member))
        done, total = 0, _size(contents)
        for job, found, data in _compress_all(contents, threads):
            add(found, data)
            done += job.size
            progress.update(f"compressing: {done >> 20} of {total >> 20} MB", often=True)
    places = {digest: list(member[1:]) for digest, member in members.items()}
    value = {"encoder": contract.encoder(), "sha256": whole.hexdigest(), "members": places}
    atomic.write_json(_index(path), value)
    return members


class _Reader(contextlib.ExitStack):
    """Reads members out of packs, each opened once."""

    def __init__(self) -> None:
        super().__init__()
        self._streams: dict[str, BinaryIO] = {}

    def data(self, member: CompressedMember) -> bytes:
        if member.pack not in self._streams:
            self._streams[member.pack] = self.enter_context(Path(member.pack).open("rb"))  # noqa: SIM115
        stream = self._streams[member.pack]
        stream.seek(member.offset)
        return stream.read(member.compressed_size)


class _Job(NamedTuple):
    """Contents to compress one after the other, and their size in bytes."""

    size: int
    contents: list[Content]


# The members that a job gave by their sha256, and their data, one after the other.
_Result = tuple[dict[str, CompressedMember], bytes | bytearray]


def _compress_all(contents: Sequence[Content], threads: int) -> Iterator[tuple[_Job, *_Result]]:
    """Yield the contents compressed, the largest first, a bounded number of bytes at a time."""
    jobs = _jobs(contents)
    if threads == 1:
        for job in reversed(jobs):
            yield job, *_compress(job)
        return
    running: dict[Future[_Result], _Job] = {}
    size = 0
    with ThreadPoolExecutor(threads) as pool:
        while jobs or running:
            while taken := _next(jobs, _IN_FLIGHT - size if running else None):
                running[pool.submit(_compress, taken)] = taken
                size += taken.size
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job = running.pop(future)
                size -= job.size
                yield job, *future.result()


def _jobs(contents: Iterable[Content]) -> list[_Job]:
    """Return the contents in groups worth a thread's while, the largest last."""
    jobs: list[_Job] = []
    for content in sorted(contents, key=lambda content: (content.size, content.sha256)):
        if jobs and jobs[-1].size + content.size <= _CHUNK:
            size, group = jobs.pop()
            group.append(content)
            jobs.append(_Job(size + content.size, group))
        else:
            jobs.append(_Job(content.size, [content]))
    return jobs


def _next(jobs: list[_Job], room: int | None) -> _Job | None:
    """Take the largest job that fits into so many bytes; None stands for any."""
    for place in range(len(jobs) - 1, -1, -1):
        if room is None or jobs[place].size <= room:
            return jobs.pop(place)
    return None


def _size(contents: Iterable[Content]) -> int:
    return sum(content.size for content in contents)


def _compress(job: _Job) -> _Result:
    # Put together here: of what is not the encoder's, only one thread at a time runs.
    members, parts, offset = {}, [], 0
    for content in job.contents:
        member, data = _compress_one(content)
        members[content.sha256] = member._replace(offset=offset)
        parts.append(data)
        offset += len(data)
    return members, parts[0] if len(parts) == 1 else b"".join(parts)


def _compress_one(content: Content) -> tuple[CompressedMember, bytes | bytearray]:
    with _opened(content) as stream:
        data = stream.read()
    _check(content, hashlib.sha256(data).hexdigest())
    crc = deflate.crc32(data)
    small = deflate.deflate_compress(data, contract.DEFLATE_LEVEL)
    if len(small) < len(data):
        return CompressedMember("", 0, len(small), len(data), crc, DEFLATED), small
    return CompressedMember("", 0, len(data), len(data), crc, STORED), data


def _opened(content: Content) -> FileIO:
    try:
        return open(content.path, "rb", buffering=0)  # it is read in large parts, or at once
    except FileNotFoundError:
        msg = f"{content.path}: gone since it was staged; run doit again to stage it anew"
        raise StagedFileError(msg) from None


def _check(content: Content, found: str) -> None:
    if found != content.sha256:
        msg = f"{content.path}: not what was staged there; run doit again to stage it anew"
        raise StagedFileError(msg)
