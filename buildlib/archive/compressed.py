"""Compressed members, cached by content: each content is compressed once, then copied.

A pack is a file with the data of members, one after the other. The index of a pack, a second file,
maps the sha256 of each content to its place. Deflate is a function of the content alone here (one
pinned encoder, one level), so a member from a pack equals a newly compressed one. The index also
has the sha256 of the whole pack; a corrupt pack is rebuilt.
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
from buildlib.files import atomic, locks, records
from buildlib.model import CompressedMember
from buildlib.runtimes import UNZIPPED_LIMIT

STORED = 0


DEFLATED = 8


# Maximal size of the contents in memory, in bytes; a larger content is compressed alone.
_IN_FLIGHT = 32 << 20


_CHUNK = 1 << 20


# The offset and the size of the data, the size and the CRC-32 of the content, and the method.
_PLACE = records.row(*[records.number] * 4, lambda method: method in {STORED, DEFLATED})


_SHAPE = records.fields(
    encoder=records.text, sha256=records.sha256, members=records.map_of(records.sha256, _PLACE)
)


class Content(NamedTuple):
    """A file to compress: its path, and the sha256 and size that it must have."""

    path: str
    sha256: str
    size: int


def stored(content: Content) -> CompressedMember:
    """Return a member that is stored without compression, directly from its file.

    Raises:
        StagedFileError: the file changed since it was staged.

    """
    digest, crc = hashlib.sha256(), 0
    with _open(content) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            crc = deflate.crc32(chunk, crc)
    _check_digest(content, digest.hexdigest())
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
    """Return the members of `contents` by their sha256, and add missing ones to the pack `path`.

    Missing members are copied from the packs `reuse`, or else compressed, the largest first. A
    member in another pack does not prove that the file here matches its digest, so the file is
    still read. With `keep`, members outside of `contents` stay in the pack, for other variants.
    `cores` is the folder with the locks of the processors (see `locks.cores`).
    """
    small = {content.sha256: content for content in contents if content.size <= UNZIPPED_LIMIT}
    large = {c.sha256: stored(c) for c in contents if c.size > UNZIPPED_LIMIT}
    members = load(path, digests)
    missing = [content for digest, content in small.items() if digest not in members]
    has_surplus = not keep and bool(members.keys() - small.keys())
    if missing or has_surplus:
        copied = {digest: m for digest, m in members.items() if keep or digest in small}
        copied |= _reusable(missing, reuse, digests)
        new = [content for content in missing if content.sha256 not in copied]
        is_large = _size(new) > _CHUNK
        with locks.cores(cores) if is_large else contextlib.nullcontext(1) as threads:
            members = _write(path, copied, new, threads)
    return {digest: members[digest] for digest in small} | large


def _reusable(
    missing: Sequence[Content], packs: Iterable[Path], digests: Digests
) -> dict[str, CompressedMember]:
    """Return the members for missing contents that other packs have, after reading the files."""
    if not missing:
        return {}
    members: dict[str, CompressedMember] = {}
    for pack in packs:
        members |= load(pack, digests)
    reused = [content for content in missing if content.sha256 in members]
    check(reused)
    return {content.sha256: members[content.sha256] for content in reused}


def check(contents: Iterable[Content]) -> None:
    """Compare files with their sha256, on all processors.

    Raises:
        StagedFileError: a file changed since it was staged.

    """

    def check_file(content: Content) -> None:
        with _open(content) as stream:
            _check_digest(content, hashlib.file_digest(stream, "sha256").hexdigest())

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(check_file, contents):
            pass


def load(path: Path, digests: Digests) -> dict[str, CompressedMember]:
    """Return the members of a pack; none if it is missing, corrupt or of another encoder."""
    index = records.read(_index(path), _SHAPE)
    if index is None or index["encoder"] != contract.encoder():
        return {}
    try:
        status = path.stat()
        intact = digests.sha256_of(str(path), status) == index["sha256"]
    except OSError:
        return {}
    if not intact or any(
        start + size > status.st_size for start, size, *_ in index["members"].values()
    ):
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
    path: Path, copied: Mapping[str, CompressedMember], contents: Sequence[Content], threads: int
) -> dict[str, CompressedMember]:
    """Write a pack: copy the members, compress the contents, and return all members."""
    members: dict[str, CompressedMember] = {}
    pack_digest = hashlib.sha256()
    offset = 0
    with atomic.replacing(path, ours=True) as temporary, temporary.open("wb") as output:

        def add(new: Mapping[str, CompressedMember], data: bytes | bytearray) -> None:
            nonlocal offset
            output.write(data)
            pack_digest.update(data)
            for digest, (_, start, *rest) in new.items():
                members[digest] = CompressedMember(str(path), offset + start, *rest)
            offset += len(data)

        with _PackReader() as reader:
            for digest, member in copied.items():
                add({digest: member._replace(offset=0)}, reader.data(member))
        done, total = 0, _size(contents)
        for job, compressed_members, data in _compress_all(contents, threads):
            add(compressed_members, data)
            done += job.size
            progress.update(f"compressing: {done >> 20} of {total >> 20} MB", often=True)
    places = {digest: list(member[1:]) for digest, member in members.items()}
    value = {"encoder": contract.encoder(), "sha256": pack_digest.hexdigest(), "members": places}
    records.write(_index(path), value)
    return members


class _PackReader(contextlib.ExitStack):
    """Reads the data of members from packs, and opens each pack once."""

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
    """Contents for one thread to compress one after the other, and their size in bytes."""

    size: int
    contents: list[Content]


# The members of a job by their sha256, and their data, one after the other.
_Result = tuple[dict[str, CompressedMember], bytes | bytearray]


def _compress_all(contents: Sequence[Content], threads: int) -> Iterator[tuple[_Job, *_Result]]:
    """Compress the contents, the largest first, with a bounded number of bytes in memory."""
    jobs = _jobs(contents)
    if threads == 1:
        for job in reversed(jobs):
            yield job, *_compress(job)
        return
    running: dict[Future[_Result], _Job] = {}
    size = 0
    with ThreadPoolExecutor(threads) as pool:
        while jobs or running:
            while next_job := _take_largest(jobs, _IN_FLIGHT - size if running else None):
                running[pool.submit(_compress, next_job)] = next_job
                size += next_job.size
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job = running.pop(future)
                size -= job.size
                yield job, *future.result()


def _jobs(contents: Iterable[Content]) -> list[_Job]:
    """Group the contents into jobs large enough for a thread, the largest job last."""
    jobs: list[_Job] = []
    for content in sorted(contents, key=lambda content: (content.size, content.sha256)):
        if jobs and jobs[-1].size + content.size <= _CHUNK:
            size, group = jobs.pop()
            group.append(content)
            jobs.append(_Job(size + content.size, group))
        else:
            jobs.append(_Job(content.size, [content]))
    return jobs


def _take_largest(jobs: list[_Job], limit: int | None) -> _Job | None:
    """Remove and return the largest job of at most `limit` bytes; without a limit, the largest."""
    for number in range(len(jobs) - 1, -1, -1):
        if limit is None or jobs[number].size <= limit:
            return jobs.pop(number)
    return None


def _size(contents: Iterable[Content]) -> int:
    return sum(content.size for content in contents)


def _compress(job: _Job) -> _Result:
    # Joined here, so that the main thread, which shares the GIL, writes each job in one piece.
    members, parts, offset = {}, [], 0
    for content in job.contents:
        member, data = _compress_one(content)
        members[content.sha256] = member._replace(offset=offset)
        parts.append(data)
        offset += len(data)
    return members, parts[0] if len(parts) == 1 else b"".join(parts)


def _compress_one(content: Content) -> tuple[CompressedMember, bytes | bytearray]:
    with _open(content) as stream:
        data = stream.read()
    _check_digest(content, hashlib.sha256(data).hexdigest())
    crc = deflate.crc32(data)
    deflated = deflate.deflate_compress(data, contract.DEFLATE_LEVEL)
    if len(deflated) < len(data):
        return CompressedMember("", 0, len(deflated), len(data), crc, DEFLATED), deflated
    return CompressedMember("", 0, len(data), len(data), crc, STORED), data


def _open(content: Content) -> FileIO:
    try:
        return open(content.path, "rb", buffering=0)  # unbuffered: read in large chunks, or whole
    except FileNotFoundError:
        msg = f"{content.path}: removed since it was staged; run the build again to restage it"
        raise StagedFileError(msg) from None


def _check_digest(content: Content, sha256: str) -> None:
    if sha256 != content.sha256:
        msg = f"{content.path}: changed since it was staged; run the build again to restage it"
        raise StagedFileError(msg)
