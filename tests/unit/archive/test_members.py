"""Compressed members: each content is compressed once, to the bytes that compressing it gives."""

import contextlib
import json
import os
import random
import threading
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import deflate
import pytest

from buildlib import contract
from buildlib.archive import compress, members
from buildlib.archive.compress import Content
from buildlib.cache import packs
from buildlib.cache.digests import Digests
from buildlib.cache.machine import MachineCache
from buildlib.errors import ArchiveError
from buildlib.files import locks
from buildlib.layout import Layout
from buildlib.model import CompressedMember
from tests.unit.conftest import file
from tests.unit.crashes import Crash, each

NOISE = random.Random(1).randbytes(50_000)  # noqa: S311 - the same bytes every time
CONTENTS = {
    "text": b"line after line\n" * 500,
    "noise": NOISE,
    "empty": b"",
    "small": b"x",
    "more": b"another text, much like itself, " * 3000,
}
A, B = "a" * 64, "b" * 64


class Cache:
    """Contents on disk, and a machine's cache; `compressed` names the contents of a call."""

    def __init__(self, root: Path) -> None:
        self.root = root
        cache = MachineCache(Layout(root), {"LAMBDA_ZIP_CACHE": "cache"})
        digests = Digests(root, root / "digests.json")
        self.place = members.Place(cache, digests, root.parent / "locks")
        self.compressed: list[str] = []

    @property
    def folder(self) -> Path:
        return self.place.cache.packs.folder

    def content(self, name: str, data: bytes | None = None) -> Content:
        data = CONTENTS[name] if data is None else data
        path = self.root / "contents" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return Content(str(path), file(name, data).sha256, len(data))

    def make(self, wanted: Mapping[str, list[Content]]) -> dict[str, bytes]:
        """Return the data of each member by its content, after checking it."""
        self.compressed.clear()
        found, left = members.of_distributions(wanted, self.place)
        assert left == []
        digests = {content.sha256 for contents in wanted.values() for content in contents}
        assert found.keys() == digests
        return {digest: read(digest, member) for digest, member in found.items()}

    def packs(self, name: str = A) -> list[Path]:
        return sorted((self.folder / name).glob("*.pack"))

    def alone(self, contents: list[Content]) -> dict[str, bytes]:
        """Return the data of members for one ZIP, by content, after checking it."""
        self.compressed.clear()
        with members.of_own(contents, self.place.cores, self.root) as (found, stream):
            stream.seek(0)
            (self.root / "own").write_bytes(stream.read())
        own = str(self.root / "own")
        return {digest: read(digest, one._replace(pack=own)) for digest, one in found.items()}


def read(digest: str, member: CompressedMember) -> bytes:
    """Return the data of a member, after checking it against its description."""
    with Path(member.pack).open("rb") as stream:
        stream.seek(member.offset)
        data = stream.read(member.compressed_size)
    assert len(data) == member.compressed_size
    content = zlib.decompress(data, -15) if member.method == packs.DEFLATED else data
    assert (len(content), zlib.crc32(content)) == (member.size, member.crc)
    assert file("", content).sha256 == digest
    return data


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Give a cache that notes what is really compressed, in `compressed`."""
    cache = Cache(tmp_path)
    one = compress._compress_one  # noqa: SLF001 - the one place where it happens

    def noted(content: Content) -> tuple[CompressedMember, bytes | bytearray]:
        cache.compressed.append(Path(content.path).name)
        return one(content)

    monkeypatch.setattr(compress, "_compress_one", noted)
    return cache


def test_members(cache: Cache) -> None:
    """Every member is the deflate of the pinned encoder, or the content where that is smaller."""
    contents = [cache.content(name) for name in CONTENTS]
    small = {
        content.sha256: min(
            data, bytes(deflate.deflate_compress(data, contract.DEFLATE_LEVEL)), key=len
        )
        for content, data in zip(contents, CONTENTS.values(), strict=True)
    }
    assert cache.make({A: contents}) == small
    assert cache.alone(contents) == small


# Texts of which the pinned encoder makes exactly as many bytes as they have.
TIES = [b"def beta return \n import os \n x def", b"beta \n  = 1 return \n \n alpha gamma"]


@pytest.mark.parametrize("data", [NOISE, b"", b"x", *TIES])
def test_content_that_does_not_shrink(cache: Cache, data: bytes) -> None:
    """A content of which deflate makes no fewer bytes is stored, as the contract says."""
    assert len(deflate.deflate_compress(data, contract.DEFLATE_LEVEL)) >= len(data)
    content = cache.content("x", data)
    assert cache.make({A: [content]}) == {content.sha256: data}
    (member,) = cache.place.cache.packs.load(A, cache.place.digests).values()
    assert member.method == packs.STORED


def test_nothing(cache: Cache) -> None:
    """Without contents there is no pack."""
    assert cache.make({}) == {}
    assert cache.alone([]) == {}
    assert not cache.folder.exists()


def test_a_hit_compresses_and_reads_nothing(cache: Cache) -> None:
    """A member in a pack is taken from there; its file need not even exist."""
    contents = [cache.content("text"), cache.content("more")]
    before = cache.make({A: contents})
    Path(contents[0].path).unlink()
    assert cache.make({A: contents}) == before
    assert cache.compressed == []


def test_distributions_are_apart(cache: Cache) -> None:
    """The members of one distribution do not prove anything about the files of another one."""
    text = cache.content("text")
    cache.make({A: [text]})
    Path(text.path).write_bytes(CONTENTS["text"].upper())
    with pytest.raises(ArchiveError, match=r"text: changed since it was staged"):
        cache.make({B: [text]})
    assert cache.packs(B) == []


def test_another_selection(cache: Cache) -> None:
    """A function that needs other files of a distribution adds a pack with the missing ones."""
    text, more, noise = (cache.content(name) for name in ("text", "more", "noise"))
    cache.make({A: [text, noise]})
    cache.make({A: [text, more]})
    assert cache.compressed == ["more"]
    assert len(cache.packs()) == 2
    cache.make({A: [noise, more]})
    assert cache.compressed == []


def test_equal_contents(cache: Cache) -> None:
    """A content that several files have is compressed once."""
    contents = [cache.content("text"), cache.content("same", CONTENTS["text"])]
    cache.make({A: contents})
    assert len(cache.compressed) == 1
    cache.alone(contents)
    assert len(cache.compressed) == 1


def damage_flip(path: Path) -> None:
    """Change one byte, and set the mtime back."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def damage_index(path: Path) -> None:
    """Let a member lie outside of the data, in a file that is named as it should be."""
    digest = file("text", CONTENTS["text"]).sha256
    index = json.dumps({digest: [0, 5000, 8000, 1, 8]}).encode()
    content = b"x" * 50 + index + len(index).to_bytes(8, "little")
    path.unlink()
    path.with_name(file("", content).sha256 + ".pack").write_bytes(content)


def damage_name(path: Path) -> None:
    """Put other data under the name of the pack's, with a right index."""
    path.write_bytes(path.read_bytes() + b"x")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": damage_flip,
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path: os.truncate(path, 0),
    "tiny": lambda path: os.truncate(path, 5),
    "gone": Path.unlink,
    "index": damage_index,
    "longer": damage_name,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged(cache: Cache, damage: str) -> None:
    """A damaged pack is removed, and made again with the same content."""
    contents = [cache.content(name) for name in CONTENTS]
    before = cache.make({A: contents})
    (path,) = cache.packs()
    content = path.read_bytes()
    DAMAGES[damage](path)
    assert cache.make({A: contents}) == before
    assert sorted(cache.compressed) == sorted(CONTENTS)
    assert cache.packs() == [path]
    assert path.read_bytes() == content
    cache.make({A: contents})
    assert cache.compressed == []


def test_other_content(cache: Cache) -> None:
    """A file that is not what was staged is an error, and the earlier pack stays."""
    text, more = cache.content("text"), cache.content("more")
    expected = cache.make({A: [text]})
    Path(more.path).write_bytes(CONTENTS["more"].upper())
    for make in (cache.make, lambda wanted: cache.alone(wanted[A])):
        with pytest.raises(
            ArchiveError, match=r"more: changed since it was staged; run the build again"
        ):
            make({A: [text, more]})
    assert cache.make({A: [text]}) == expected
    assert cache.compressed == []
    assert sorted(name for name in os.listdir(cache.folder / A) if name != ".lock") == [
        path.name for path in cache.packs()
    ]


def test_threads_and_order(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack does not depend on the number of threads, nor on the order of the files."""
    contents = [cache.content(f"{n}", CONTENTS["more"] * n + NOISE[:n]) for n in range(1, 40)]
    names = set()
    for number, (order, processors) in enumerate(
        [(contents, 1), (contents, 4), (contents[::-1], 4), (contents, 4)]
    ):
        monkeypatch.setattr(os, "cpu_count", lambda count=processors: count)
        cache.make({f"{number}" * 64: order, B: contents[:3]})
        names |= {path.name for path in cache.packs(f"{number}" * 64)}
    assert len(names) == 1


def test_bounded_memory(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the room for compressed data is, everything is compressed."""
    contents = [cache.content(f"{n}", CONTENTS["more"] * n) for n in range(1, 40)]
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    expected = cache.make({A: contents})
    monkeypatch.setattr(compress, "_IN_FLIGHT", 1)
    assert cache.make({B: contents}) == expected


def test_stored(cache: Cache) -> None:
    """A stored member is the file itself, if it is what it should be."""
    for name, data in CONTENTS.items():
        content = cache.content(name)
        member = compress.stored(content)
        assert (member.pack, member.offset, member.method) == (content.path, 0, packs.STORED)
        assert read(content.sha256, member) == data
    with pytest.raises(ArchiveError, match=r"small: changed since it was staged"):
        compress.stored(cache.content("small")._replace(sha256="0" * 64))


def test_another_process_compresses(cache: Cache) -> None:
    """A distribution that another process has claimed is taken from its pack, after the others."""
    text, more = cache.content("text"), cache.content("more")
    begun, found = threading.Event(), []
    other = Cache(cache.root)

    def make() -> None:
        begun.set()
        found.append(cache.make({A: [text], B: [more]}))

    thread = threading.Thread(target=make)
    with cache.place.cache.packs.claimed(A, wait=True):
        thread.start()
        begun.wait()
        while not cache.packs(B):  # what nobody else has claimed is done meanwhile
            pass
        with cache.place.cache.packs.adding(A, other.place.digests) as pack:
            for job in compress.jobs([text]):
                pack.add(*compress._compress(job))  # noqa: SLF001 - as the other process does
        cache.compressed.clear()
    thread.join()
    assert found[0].keys() == {text.sha256, more.sha256}
    assert cache.compressed == []


@pytest.mark.parametrize("place", ["claim", "write"])
def test_a_cache_that_cannot_be_written(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Contents that no pack can take are left to the caller, and no half of a pack stays."""
    contents = [cache.content("text"), cache.content("more")]

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if place == "claim":
        monkeypatch.setattr(locks, "claimed", full)
    else:
        monkeypatch.setattr(packs.NewPack, "finish", full)
    found, left = members.of_distributions({A: contents}, cache.place)
    assert (found, left) == ({}, contents)
    assert not list(cache.folder.rglob("*.tmp"))
    assert cache.packs() == []


@pytest.mark.parametrize("torn", [False, True], ids=["between", "torn"])
def test_a_crash_at_every_step(cache: Cache, torn: bool) -> None:
    """A process that dies while it writes a pack leaves one that is right, or none."""
    text, more, small = (cache.content(name) for name in ("text", "more", "small"))
    expected = cache.make({B: [text, small]})
    for crashes in each(cache.root, torn=torn):
        for path in cache.packs():
            path.unlink()
        cache.make({A: [text, more]})
        with contextlib.suppress(Crash), crashes:
            cache.make({A: [text, small]})
        for member in cache.place.cache.packs.load(A, cache.place.digests).items():
            read(*member)
        assert cache.make({A: [text, small]}) == expected
