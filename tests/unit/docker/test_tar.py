"""What comes out of a container is unpacked only if it stays where it belongs."""

import io
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildlib.docker import tar
from buildlib.errors import InstallError

DIRECTORY, LINK, SYMLINK = tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE


def stream(*members: tuple[str, bytes, str], mode: int = 0o644) -> bytes:
    """Return a tar archive of members (name, type, content or link)."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            info.uid, info.gid = 4321, 4321
            if kind == tarfile.REGTYPE:
                info.size = len(content.encode())
                archive.addfile(info, io.BytesIO(content.encode()))
            else:
                info.linkname = content
                archive.addfile(info)
    return output.getvalue()


def file(name: str, content: str = "content") -> tuple[str, bytes, str]:
    return (name, tarfile.REGTYPE, content)


def chunks(data: bytes, size: int = 700) -> Iterator[bytes]:
    """Yield the data in pieces that do not fit tar's blocks."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_tree(tmp_path: Path) -> None:
    """Files, folders and links inside the tree arrive, whatever the size of the chunks."""
    data = stream(
        ("tree", DIRECTORY, ""),
        ("tree/lib", DIRECTORY, ""),
        file("tree/lib/libx.so.1", "x" * 5000),
        ("tree/lib/libx.so", SYMLINK, "libx.so.1"),
        ("tree/lib/hard", LINK, "tree/lib/libx.so.1"),
        ("tree/up", SYMLINK, "lib/../lib"),
        file("tree/deep/er/a.py", "A = 1\n"),
    )
    for size in (1, 511, 700, 1 << 20):
        target = tmp_path / str(size)
        target.mkdir()
        tar.extract(chunks(data, size), target, "tree")
        assert (target / "lib/libx.so").read_text() == "x" * 5000
        assert (target / "lib/hard").read_text() == "x" * 5000
        assert (target / "up/libx.so.1").is_file()
        assert (target / "deep/er/a.py").read_text() == "A = 1\n"


def test_modes_and_owners_are_ours(tmp_path: Path) -> None:
    """No mode is taken over: nothing is world-writable, set-uid, or someone else's."""
    data = stream(("tree/d", DIRECTORY, ""), file("tree/d/a"), mode=0o6777)
    tar.extract(chunks(data), tmp_path, "tree")
    for path in (tmp_path / "d", tmp_path / "d/a"):
        status = path.stat()
        assert not status.st_mode & (stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)
        assert status.st_uid == tmp_path.stat().st_uid


REFUSED = {
    "absolute": [file("/etc/passwd")],
    "parent": [file("tree/../../passwd")],
    "parent at the start": [file("../tree/a")],
    "another top": [file("other/a")],
    "backslash": [file("tree/..\\..\\a")],
    "character device": [("tree/null", tarfile.CHRTYPE, "")],
    "block device": [("tree/sda", tarfile.BLKTYPE, "")],
    "FIFO": [("tree/pipe", tarfile.FIFOTYPE, "")],
    "absolute link": [("tree/a", SYMLINK, "/etc/passwd")],
    "link to the parent": [("tree/a", SYMLINK, "../..")],
    "link out and back": [("tree/a", SYMLINK, "../../x/tree/b")],
    "link through a link": [("tree/s", SYMLINK, "d/.."), ("tree/d", SYMLINK, ".")],
    "file below a link": [("tree/a", SYMLINK, "/etc"), file("tree/a/b")],
    "link below a link that leaves": [
        ("tree/a", SYMLINK, "../outside"),
        ("tree/a/b/c", SYMLINK, "d"),
    ],
    "hard link to the outside": [("tree/a", LINK, "/etc/passwd")],
    "hard link to a parent": [("tree/a", LINK, "tree/../../x")],
    "hard link to nothing": [("tree/a", LINK, "tree/b")],
    "hard link to a folder": [("tree/d", DIRECTORY, ""), ("tree/a", LINK, "tree/d")],
    "twice": [file("tree/a"), file("tree/a", "other")],
    "link and file": [file("tree/a"), ("tree/a", SYMLINK, "b")],
    "file as a folder": [file("tree/a"), file("tree/a/b")],
}


@pytest.mark.parametrize("members", REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, members: list[tuple[str, bytes, str]]) -> None:
    """What could be written or read outside the tree is refused, and nothing is outside it."""
    target = tmp_path / "in/target"
    target.mkdir(parents=True)
    with pytest.raises(InstallError, match="refused the container's output: '"):
        tar.extract(chunks(stream(*members)), target, "tree")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["target"]


@pytest.mark.parametrize("kept", [100, 600, 1500])
def test_cut_short(tmp_path: Path, kept: int) -> None:
    """A stream that ends too early, as when an engine dies, is an error."""
    data = stream(file("tree/a", "x" * 4000))
    with pytest.raises(InstallError, match="not a complete tar archive"):
        tar.extract(chunks(data[:kept]), tmp_path, "tree")


def test_pack() -> None:
    """What goes in has the modes and owners that are asked for."""
    data = tar.pack({"d": tar.Entry(None, 0o700, 7), "d/a": tar.Entry(b"abc", 0o400, 7)})
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {m.name: (m.isdir(), m.mode, m.uid, m.gid, m.size) for m in archive}
    assert found == {"d": (True, 0o700, 7, 7, 0), "d/a": (False, 0o400, 7, 7, 3)}
