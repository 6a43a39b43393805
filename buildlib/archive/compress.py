"""Compress contents, the largest first, on all free processors.

Deflate is a function of the content and the level alone here: one pinned encoder.
"""

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import deflate

from buildlib import contract, progress
from buildlib.cache.packs import DEFLATED, STORED
from buildlib.errors import StagedFileError
from buildlib.files import locks
from buildlib.model import CompressedMember

# The data in memory beyond that of one job, in bytes.
_IN_FLIGHT = 32 << 20


_CHUNK = 1 << 20


class Content(NamedTuple):
    """A file to compress: its path, the sha256 and size that it must have, and the level."""

    path: str
    sha256: str
    size: int
    level: int = contract.DEFLATE_LEVEL


# By the sha256 of their contents.
Members = dict[str, CompressedMember]


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


class Job(NamedTuple):
    """Contents for one thread to compress one after the other, and their size in bytes.

    `name` is the pack that they are for.
    """

    size: int
    contents: list[Content]
    name: str = ""


# The members of a job by their sha256, and their data, one after the other.
Result = tuple[Members, bytes | bytearray]


def jobs(contents: Iterable[Content], name: str = "") -> list[Job]:
    """Group the contents into jobs large enough for a thread, the smallest job first."""
    found: list[Job] = []
    for content in sorted(contents, key=lambda content: (content.size, content.sha256)):
        if found and found[-1].size + content.size <= _CHUNK:
            size, group, _ = found.pop()
            group.append(content)
            found.append(Job(size + content.size, group, name))
        else:
            found.append(Job(content.size, [content], name))
    return found


def compress(todo: Iterable[Job], cores: Path) -> Iterator[tuple[Job, *Result]]:
    """Compress the contents of jobs, the largest first, with a bounded number of bytes in memory.

    The order of the results is a function of the jobs, so that a pack of them is, too. `cores` is
    the folder with the locks of the processors (see `locks.cores`).

    Raises:
        StagedFileError: a file changed since it was staged.

    """
    ordered = sorted(todo, key=lambda job: (-job.size, job.contents[0].sha256))
    done, total = 0, sum(job.size for job in ordered)
    with locks.cores(cores) if total > _CHUNK else contextlib.nullcontext(1) as threads:
        results = _serial(ordered) if threads == 1 else _parallel(ordered, threads)
        for job, members, data in results:
            yield job, members, data
            done += job.size
            progress.update(f"compressing: {done >> 20} of {total >> 20} MB", often=True)


def _serial(ordered: Iterable[Job]) -> Iterator[tuple[Job, *Result]]:
    for job in ordered:
        yield job, *_compress(job)


def _parallel(ordered: Sequence[Job], threads: int) -> Iterator[tuple[Job, *Result]]:
    running: deque[tuple[Job, Future[Result]]] = deque()

    def held() -> int:
        """Return the number of bytes in memory: contents, and results that wait for their turn."""
        return sum(
            len(future.result()[1]) if future.done() and not future.exception() else job.size
            for job, future in running
        )

    def first() -> tuple[Job, *Result]:
        job, future = running.popleft()
        return job, *future.result()

    with ThreadPoolExecutor(threads) as pool:
        try:
            for job in ordered:
                while running and (running[0][1].done() or held() + job.size > _IN_FLIGHT):
                    yield first()
                running.append((job, pool.submit(_compress, job)))
            while running:
                yield first()
        finally:  # after an error nobody takes the rest
            pool.shutdown(cancel_futures=True)


def _compress(job: Job) -> Result:
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
    deflated = deflate.deflate_compress(data, content.level)
    if len(deflated) < len(data):
        return CompressedMember("", 0, len(deflated), len(data), crc, DEFLATED), deflated
    return CompressedMember("", 0, len(data), len(data), crc, STORED), data


def usual_size(content: bytes) -> int:
    """Return the size of a member with `compression: deflate`, in bytes."""
    return min(len(deflate.deflate_compress(content, contract.DEFLATE_LEVEL)), len(content))


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
