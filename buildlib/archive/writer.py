"""Write a ZIP whose bytes depend on the names and contents of its members alone.

It follows PKWARE's APPNOTE.TXT 6.3.10. Headers consist of constants and facts of the content, never
of a file's metadata.
"""

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import deflate

from buildlib.archive.hashing import CHUNK, HashingWriter
from buildlib.archive.headers import central_header, end_of_archive, local_header
from buildlib.archive.previous import PreviousMembers, PreviousZip
from buildlib.errors import StagedFileError
from buildlib.model import CompressedMember, Written


def write(
    path: Path,
    members: Iterable[tuple[str, CompressedMember]],
    base: PreviousZip | None = None,
    own: IO[bytes] | None = None,
) -> Written:
    """Write the members, each with its name, sorted by the UTF-8 bytes of the names.

    The stream `own` has the data of the members without a `pack`. The members of `base` that it
    does not omit are copied; with them the ZIP must not need ZIP64.

    Raises:
        StagedFileError: a file changed since it was staged.
        ArchiveError: the base changed since it was written.

    """
    entries = sorted((name.encode(), member) for name, member in members)
    count, unzipped = len(entries), sum(member.size for _, member in entries)
    central: list[bytes] = []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        output = HashingWriter(stack.enter_context(path.open("wb", buffering=0)), pool)
        sources, previous = _Sources(stack, own), None
        if base:
            stream = stack.enter_context(base.path.open("rb", buffering=0))
            previous = PreviousMembers(base, stream)
        for name, member in entries:
            if previous:
                central += previous.copy(output, before=name)
            central.append(central_header(name, member, output.size))
            output.write(local_header(name, member))
            sources.copy(name, member, output)
        if previous:
            central += previous.copy(output)
            previous.check()
            count, unzipped = count + previous.count, unzipped + previous.unzipped
        start = output.size
        output.write(b"".join(central))
        output.write(end_of_archive(count, output.size - start, start))
        return Written(output.finish(), output.size, unzipped)


class _Sources:
    """The files with the data of members; each is opened once."""

    def __init__(self, stack: contextlib.ExitStack, own: IO[bytes] | None) -> None:
        self._stack = stack
        self._packs: dict[str, IO[bytes]] = {"": own} if own else {}

    def copy(self, name: bytes, member: CompressedMember, output: HashingWriter) -> None:
        """Copy the data of a member."""
        if member.pack and not member.offset and member.compressed_size == member.size:
            with open(member.pack, "rb") as file:  # as a rule a stored member's own file
                _copy(file, name, member, output)
            return
        pack = self._packs.get(member.pack)
        if pack is None:
            pack = self._stack.enter_context(open(member.pack, "rb"))  # noqa: SIM115
            self._packs[member.pack] = pack
        _copy(pack, name, member, output)


def _copy(source: IO[bytes], name: bytes, member: CompressedMember, output: HashingWriter) -> None:
    source.seek(member.offset)
    left, crc = member.compressed_size, 0
    while left:
        chunk = source.read(min(left, CHUNK))
        if not chunk:
            break
        if not member.method:
            crc = deflate.crc32(chunk, crc)
        output.write(chunk)
        left -= len(chunk)
    if left or (not member.method and crc != member.crc):
        msg = f"{name.decode()}: changed while it was read; run the build again"
        raise StagedFileError(msg)
