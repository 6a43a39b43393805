"""A ZIP that takes members over from an earlier one is the one that is written from all of them."""

import os
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from buildlib.archive import compress, hashing, headers, members, previous, writer
from buildlib.archive.previous import PreviousZip
from buildlib.cache.digests import Digests
from buildlib.errors import ArchiveError
from buildlib.model import Written
from tests.unit.conftest import file, write

_RANDOM = random.Random(3)  # noqa: S311 - the same bytes every time
BEFORE = {
    "B.txt": b"b" * 300,
    "app.py": b"def handler(event, context): ...\n",
    "dep/__init__.py": b"",
    "dep/data.bin": _RANDOM.randbytes(3 << 20),
    "dep/text.txt": b"line after line\n" * 9000,
    "dep/z\u00fcrich.txt": b"z" * 50,
    "own/a.py": b"A = 1\n",
    "zlast.py": b"Z = 1\n",
}


class Zips:
    """ZIPs that are written from contents."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests = Digests(root, root / "digests.json")

    def contents(self, contents: Mapping[str, bytes]) -> dict[str, compress.Content]:
        tree = self.root / "tree"
        write(tree, dict(contents))
        return {
            name: compress.Content(str(tree / name), file("", data).sha256, len(data))
            for name, data in contents.items()
        }

    def write(
        self, name: str, contents: Mapping[str, bytes], base: PreviousZip | None = None
    ) -> Written:
        wanted = self.contents(contents)
        with members.of_own(wanted.values(), self.root / "locks", self.root) as (found, own):
            pairs = [(name, found[content.sha256]) for name, content in wanted.items()]
            return writer.write(self.root / name, pairs, base, own)

    def base(self, *omitted: str) -> PreviousZip:
        self.write("before.zip", BEFORE)
        path = self.root / "before.zip"
        return PreviousZip(path, hashing.crc32(path), frozenset(omitted))


@pytest.fixture
def zips(tmp_path: Path) -> Zips:
    """Give a folder for ZIPs."""
    return Zips(tmp_path)


CHANGES: dict[str, dict[str, bytes | None]] = {
    "nothing": {},
    "edited": {"app.py": b"def handler(event, context): return 1\n"},
    "all but one": {name: b"new " + name.encode() for name in list(BEFORE)[1:]},
    "added first and last": {"A": b"first", "zz/z.py": b"last"},
    "added between": {"app.pyx": b"x", "dep/a.py": b"a", "dep/\u00e4.py": b"\xc3\xa4"},
    "removed first and last": {"B.txt": None, "zlast.py": None},
    "removed in a row": {"dep/__init__.py": None, "dep/data.bin": None, "dep/text.txt": None},
    "renamed": {"own/a.py": None, "own/b.py": b"A = 1\n"},
    "everything removed": dict.fromkeys(BEFORE),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_same_bytes(zips: Zips, monkeypatch: pytest.MonkeyPatch, change: str, chunk: int) -> None:
    """Whatever comes, goes or changes, the ZIP has the bytes that all its members give."""
    changed = CHANGES[change]
    after = {n: d for n, d in {**BEFORE, **changed}.items() if d is not None}
    expected = zips.write("expected.zip", after)
    base = zips.base(*changed)
    for module in (writer, previous, hashing):
        monkeypatch.setattr(module, "CHUNK", chunk)
    new = {name: data for name, data in changed.items() if data is not None}
    assert zips.write("after.zip", new, base) == expected
    assert (zips.root / "after.zip").read_bytes() == (zips.root / "expected.zip").read_bytes()
    with zipfile.ZipFile(zips.root / "after.zip") as opened:
        assert {info.filename: opened.read(info) for info in opened.infolist()} == after


def flip(place: int) -> Callable[[Path], None]:
    """Return what changes one byte of a file."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    return change


DAMAGES: dict[str, Callable[[Path], object]] = {
    "first header": flip(0),
    "data": flip(1 << 20),
    "omitted data": flip(400),
    "central directory": flip(-100),
    "end": flip(-3),
    "its offset": flip(-4),
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "another ZIP": lambda path: zipfile.ZipFile(path, "w").close(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged(zips: Zips, damage: str) -> None:
    """An earlier ZIP that changed since it was written is an error, wherever it differs."""
    base = zips.base("app.py")
    DAMAGES[damage](base.path)
    with pytest.raises(ArchiveError, match="changed since it was written"):
        zips.write("after.zip", {"app.py": b"new"}, base)


@pytest.mark.parametrize("count", [7, 9, 0])
def test_another_count(zips: Zips, count: int) -> None:
    """A directory that has not the number of members that its end says is not believed."""
    base = zips.base("app.py")
    data = bytearray(base.path.read_bytes())
    data[-12:-10] = count.to_bytes(2, "little")
    base.path.write_bytes(data)
    with pytest.raises(ArchiveError, match="changed since it was written"):
        zips.write("after.zip", {"app.py": b"new"}, base._replace(crc=hashing.crc32(base.path)))


def test_zip64_before(zips: Zips, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken over from a ZIP that has fields of ZIP64."""
    with monkeypatch.context() as patch:
        patch.setattr(headers, "MAX32", 1 << 20)
        base = zips.base("app.py")
    with pytest.raises(ArchiveError, match="or uses ZIP64"):
        zips.write("after.zip", {"app.py": b"new"}, base)


def test_zip64_after(zips: Zips, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken over to where only ZIP64 could say that it is."""
    base = zips.base("app.py")
    monkeypatch.setattr(previous, "_MAX32", 1 << 20)
    with pytest.raises(ArchiveError, match="or uses ZIP64"):
        zips.write("after.zip", {"app.py": b"new"}, base)


def test_gone(zips: Zips) -> None:
    """An earlier ZIP that is not there is an error of the system."""
    base = zips.base("app.py")
    base.path.unlink()
    with pytest.raises(FileNotFoundError):
        zips.write("after.zip", {"app.py": b"new"}, base)
