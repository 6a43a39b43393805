"""Ways to damage a file."""

import os
from collections.abc import Callable
from pathlib import Path


def _replace(path: Path, content: bytes) -> None:
    """Write a new file, so that hard links of the old one stay as they are."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def remove(path: Path) -> None:
    """Remove it."""
    path.unlink()


def empty(path: Path) -> None:
    """Leave nothing in it."""
    _replace(path, b"")


def truncate(path: Path) -> None:
    """Leave its first half."""
    content = path.read_bytes()
    _replace(path, content[: len(content) // 2])


def flip(path: Path) -> None:
    """Flip a bit in the middle, with the same size and mtime."""
    content, status = bytearray(path.read_bytes()), path.stat()
    if content:
        content[len(content) // 2] ^= 1
    _replace(path, bytes(content))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flip_in_place(path: Path) -> None:
    """Flip a bit, also in the hard links of the file."""
    content = bytearray(path.read_bytes())
    if content:
        content[-1] ^= 1
        with path.open("r+b") as stream:
            stream.write(content)


def append(path: Path) -> None:
    """Add a line."""
    _replace(path, path.read_bytes() + b"x\n")


def garbage(path: Path) -> None:
    """Replace it by bytes of no format."""
    _replace(path, b"\xff\xfe\x00garbage" * 99)


def folder(path: Path) -> None:
    """Replace it by a folder with a file."""
    path.unlink()
    path.mkdir()
    (path / "file").write_bytes(b"x")


KINDS: dict[str, Callable[[Path], None]] = {
    kind.__name__: kind
    for kind in (remove, empty, truncate, flip, flip_in_place, append, garbage, folder)
}
