"""Files into a container and out of it, as tar streams: no folder of the host is ever mounted."""

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
    """A file to put into a container, or a folder if `content` is None."""

    content: bytes | None
    mode: int
    owner: int


def pack(entries: Mapping[str, Entry]) -> bytes:
    """Return a tar archive of `entries`, by their paths relative to where it is unpacked."""
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
    """Unpack a tar stream into the empty folder `target`; its names start with the folder `top`.

    What is written is the caller's, with the caller's umask: owners and modes are not taken over.
    Links are made last and none is ever written through, so that each can be judged by where it
    really leads.

    Raises:
        InstallError: an absolute name, `..`, a device, a FIFO, a link that leaves the folder, two
            members of one name, or a stream that ends too early.

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
        msg = f"what came out of the container is not a whole tar archive: {error}"
        raise InstallError(msg, "container-output") from error
    except FileExistsError as error:
        _refuse(str(Path(error.filename).relative_to(target)), "is there twice")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        _refuse(str(Path(error.filename).relative_to(target)), "is a link to no file before it")
    _link(target, links)


def _link(target: Path, links: Iterable[tuple[Path, str, str]]) -> None:
    """Make symbolic links, and refuse those that lead out of `target` once all are there."""
    boundary, made = os.path.realpath(target), []
    for path, destination, name in links:
        if os.path.isabs(destination):
            _refuse(name, f"is a link to '{destination}', outside the tree")
        if not Path(os.path.realpath(path.parent)).is_relative_to(boundary):
            _refuse(name, "is below a link that leaves the tree")
        if path.is_symlink() or path.exists():
            _refuse(name, "is there twice")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(destination)
        made.append((path, destination, name))
    for path, destination, name in made:
        if not Path(os.path.realpath(path)).is_relative_to(boundary):
            _refuse(name, f"is a link to '{destination}', outside the tree")


def _inside(name: str, top: str) -> Path:
    """Return a member's path below `top`, or raise."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        _refuse(name, "is not a plain path inside the tree")
    if path.parts[:1] != (top,):
        _refuse(name, f"is not below '{top}'")
    return Path(*path.parts[1:])


def _refuse(name: str, why: str) -> NoReturn:
    msg = (
        f"what came out of the container is refused: '{name}' {why}. A package or the image does "
        "something that no installation should; look at it before you build from it"
    )
    raise InstallError(msg, "container-output")


class _Stream(io.RawIOBase):
    """The chunks of a response as a file that tarfile reads."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        """Tell that this is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """Fill the buffer with what there is of one chunk; 0 is the end."""
        if not self._chunk:
            self._chunk = memoryview(next(self._chunks, b""))
        view = memoryview(buffer)
        size = min(len(view), len(self._chunk))
        view[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size
