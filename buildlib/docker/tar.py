"""Copy files into a container and out of it as tar streams: no host folder is ever mounted."""

import io
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, NoReturn, cast

from buildlib.errors import InstallError

_BUFFER = 1 << 18  # bytes


class Entry(NamedTuple):
    """A file for a container, or a folder if `content` is None."""

    content: bytes | None
    mode: int
    owner: int


def pack(entries: Mapping[str, Entry]) -> bytes:
    """Return a tar archive of `entries`; their keys are paths relative to the target folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, entry in entries.items():
            member = tarfile.TarInfo(path)
            member.mode, member.uid, member.gid = entry.mode, entry.owner, entry.owner
            if entry.content is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(entry.content)
                archive.addfile(member, io.BytesIO(entry.content))
    return stream.getvalue()


def extract(chunks: Iterable[bytes], target: Path, top: str) -> None:
    """Unpack a tar stream into the empty folder `target`; its member names start with `top`.

    Files belong to the caller and follow the caller's umask; owners and modes of the stream are
    ignored. Links are created last, so that no file is written through one and each can be judged
    by its real destination.

    Raises:
        InstallError: an absolute name, `..`, a device, a FIFO, a link that leaves the folder, two
            members of the same name, or a truncated stream.

    """
    links: list[tuple[Path, str, str]] = []
    stream = io.BufferedReader(_Stream(filter(None, chunks)), _BUFFER)
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER) as archive:
            for member in archive:
                path = target / _inside(member.name, top)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                elif member.isreg():
                    content = archive.extractfile(member)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("xb") as output:
                        shutil.copyfileobj(cast("IO[bytes]", content), output, _BUFFER)
                elif member.islnk():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("xb") as output:
                        output.write((target / _inside(member.linkname, top)).read_bytes())
                elif member.issym():
                    links.append((path, member.linkname, member.name))
                else:
                    _refuse(member.name, "is a device or a FIFO")
    except (tarfile.TarError, EOFError) as error:
        msg = f"the container's output is not a complete tar archive: {error}"
        raise InstallError(msg, "container-output") from error
    except FileExistsError as error:
        _refuse(str(Path(error.filename).relative_to(target)), "appears twice")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        _refuse(str(Path(error.filename).relative_to(target)), "links to no earlier file")
    _link(target, links)


def _link(target: Path, links: Iterable[tuple[Path, str, str]]) -> None:
    """Create symbolic links; when all exist, refuse any that leads out of `target`."""
    boundary, created = os.path.realpath(target), []
    for path, destination, name in links:
        if os.path.isabs(destination):
            _refuse(name, f"is a link to '{destination}', outside the tree")
        if not Path(os.path.realpath(path.parent)).is_relative_to(boundary):
            _refuse(name, "is below a link that leaves the tree")
        if path.is_symlink() or path.exists():
            _refuse(name, "appears twice")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(destination)
        created.append((path, destination, name))
    for path, destination, name in created:
        if not Path(os.path.realpath(path)).is_relative_to(boundary):
            _refuse(name, f"is a link to '{destination}', outside the tree")


def _inside(name: str, top: str) -> Path:
    """Return a member's path relative to `top`, or raise InstallError."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        _refuse(name, "is not a plain path inside the tree")
    if path.parts[:1] != (top,):
        _refuse(name, f"is not below '{top}'")
    return Path(*path.parts[1:])


def _refuse(name: str, why: str) -> NoReturn:
    msg = (
        f"refused the container's output: '{name}' {why}. A package or the image does something "
        "that no installation should do; inspect it before you build from it"
    )
    raise InstallError(msg, "container-output")


class _Stream(io.RawIOBase):
    """The chunks of a response, as a file for tarfile."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        """Return True: tarfile reads from this stream."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """Fill the buffer from the current chunk and return the number of bytes; 0 at the end."""
        if not self._chunk:
            self._chunk = memoryview(next(self._chunks, b""))
        view = memoryview(buffer)
        size = min(len(view), len(self._chunk))
        view[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size
