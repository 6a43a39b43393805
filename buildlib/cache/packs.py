"""Packs: the compressed members of distributions, each compressed once and then copied.

Deflate is a function of the content and the level alone here (one pinned encoder), so a member from
a pack equals a newly compressed one. A distribution is known by the sha256 of its pin, its RECORD
and the encoder with its level. Its folder has one or more packs: a function that excludes files
needs fewer members than another one, which adds a pack with the others. A pack never changes, and
its file name is the sha256 of its content, so a damaged one is recognised and removed.

A pack is the data of its members, one after the other, in an order that depends on them alone; then
the index, as JSON; then the size of the index in eight bytes (little-endian). The index maps the
sha256 of each content to the offset and the size of its data, the size and the CRC-32 of the
content, and the compression method.
"""

import contextlib
import hashlib
import json
import os
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from buildlib.cache.digests import Digests, measured
from buildlib.files import atomic, locks, records
from buildlib.model import CompressedMember
from buildlib.runtimes import UNZIPPED_LIMIT

# The compression methods of APPNOTE 4.4.5 that members have.
STORED, DEFLATED = 0, 8

_SUFFIX = ".pack"

# Bytes of the size at the end.
_END = 8

# A use is noted only after this many seconds, since each note is a write.
_NOTED = 300

_MEMBERS = records.map_of(
    records.sha256, records.row(*[records.number] * 4, lambda m: m in {STORED, DEFLATED})
)


class Packs(NamedTuple):
    """The folder of the packs, with a folder for each distribution."""

    folder: Path

    def load(self, distribution: str, digests: Digests) -> dict[str, CompressedMember]:
        """Return the members that the packs of a distribution have, by the sha256 of a content."""
        members: dict[str, CompressedMember] = {}
        for path in _packs(self.folder / distribution):
            members |= _load(path, digests)
        if members:
            _note_use(self.folder / distribution)
        return members

    def claimed(self, distribution: str, *, wait: bool) -> contextlib.AbstractContextManager[bool]:
        """Claim a distribution, so that no other process compresses the same; yield if it worked.

        Raises:
            OSError: the folder cannot be written to.

        """
        folder = self.folder / distribution
        folder.mkdir(parents=True, exist_ok=True)
        return locks.claimed(folder / ".lock", wait=wait)

    @contextlib.contextmanager
    def adding(self, distribution: str, digests: Digests) -> Iterator["NewPack"]:
        """Yield a new pack, and add it to those of a claimed distribution on success.

        Raises:
            OSError: such as a full disk.

        """
        with self.arriving(distribution) as temporary:
            with temporary.open("wb") as stream:
                pack = NewPack(stream)
                yield pack
                name = pack.finish()
            pack.path = self._keep(temporary, distribution, name, digests)

    @contextlib.contextmanager
    def arriving(self, distribution: str) -> Iterator[Path]:
        """Yield the place of a pack until it is kept; a file that stays there is removed."""
        temporary = self.folder / distribution / f".{uuid.uuid4().hex}.tmp"
        try:
            yield temporary
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def adopt(self, distribution: str, arrived: Path, digests: Digests) -> int:
        """Add a pack from elsewhere to those of a claimed distribution; return its size in bytes.

        Every member is decompressed and compared with its digest. A pack with another content is
        not added, and its size is then 0.

        Raises:
            OSError: such as a full disk.

        """
        index = _index(arrived)
        if index is None or not _is_sound(arrived, index):
            return 0
        name, size = measured(arrived)
        self._keep(arrived, distribution, name, digests)
        return size

    def _keep(self, temporary: Path, distribution: str, name: str, digests: Digests) -> str:
        """Move a complete pack, whose sha256 is `name`, to its place; return that path."""
        path = self.folder / distribution / (name + _SUFFIX)
        temporary.replace(path)
        digests.wrote(str(path), name)
        return str(path)

    def entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield the last use (seconds since the epoch), the size and the folder of each entry."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as folders:
            for folder in folders:
                with contextlib.suppress(OSError):
                    sizes = (path.stat().st_size for path in _packs(Path(folder.path)))
                    yield folder.stat().st_mtime, sum(sizes), Path(folder.path)


class NewPack:
    """A pack that is being written. `path` is its place, once it is complete."""

    def __init__(self, stream: BinaryIO) -> None:
        self.path = ""
        self.size = 0
        self._stream = stream
        self._digest = hashlib.sha256()
        self._members: dict[str, list[int]] = {}

    def add(self, members: Mapping[str, CompressedMember], data: bytes | bytearray) -> None:
        """Add members, whose offsets are those in `data`."""
        for digest, member in members.items():
            self._members[digest] = [self.size + member.offset, *member[2:7]]
        self._write(data)

    def _write(self, data: bytes | bytearray) -> None:
        self._stream.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> str:
        """Write the index; return the sha256 of the file."""
        index = json.dumps(self._members, separators=(",", ":")).encode()
        self._write(index)
        self._write(len(index).to_bytes(_END, "little"))
        return self._digest.hexdigest()

    @property
    def members(self) -> dict[str, CompressedMember]:
        """The members of a complete pack, by the sha256 of their contents."""
        return {name: CompressedMember(self.path, *row) for name, row in self._members.items()}


def _packs(folder: Path) -> Iterable[Path]:
    """Return the packs in the folder of a distribution, in the order of their names."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIX))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _load(path: Path, digests: Digests) -> dict[str, CompressedMember]:
    """Return the members of a pack; remove a damaged one."""
    try:
        is_intact = digests.sha256_of(str(path), path.stat()) + _SUFFIX == path.name
        members = _index(path) if is_intact else None
    except OSError:
        return {}
    if members is None:
        with contextlib.suppress(OSError):
            atomic.remove(path)
        return {}
    name = str(path)
    return {digest: CompressedMember(name, *row) for digest, row in members.items()}


def _index(path: Path) -> dict[str, list[int]] | None:
    """Return the index of a pack; None if it is not one."""
    with path.open("rb") as stream:
        end = stream.seek(-_END, os.SEEK_END)
        start = end - int.from_bytes(stream.read(_END), "little")
        if start < 0:
            return None
        stream.seek(start)
        text = stream.read(end - start)
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not _MEMBERS(members) or any(at + size > start for at, size, *_ in members.values()):
        return None
    return dict(members)


def _is_sound(path: Path, index: Mapping[str, list[int]]) -> bool:
    """Tell whether each member of a pack has the content that its digest names."""
    with path.open("rb") as stream:
        for digest, (offset, size, content_size, crc, method) in index.items():
            if content_size > UNZIPPED_LIMIT:  # and no bomb
                return False
            stream.seek(offset)
            content = stream.read(size)
            if method == DEFLATED:
                inflater = zlib.decompressobj(-zlib.MAX_WBITS)
                try:
                    content = inflater.decompress(content, content_size + 1)
                except zlib.error:
                    return False
                if not inflater.eof or inflater.unused_data:
                    return False
            if len(content) != content_size or zlib.crc32(content) != crc:
                return False
            if hashlib.sha256(content).hexdigest() != digest:
                return False
    return True


def _note_use(folder: Path) -> None:
    """Note that a distribution is in use: the least recently used ones are evicted first."""
    now = time.time()
    with contextlib.suppress(OSError):  # such as a folder of another user
        if now - folder.stat().st_mtime > _NOTED:
            os.utime(folder)
