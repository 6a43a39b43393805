"""Compressed members are kept, and are never anything else than compressing them would give."""

import contextlib
import json
import os
import random
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import deflate
import pytest

from buildlib import contract
from buildlib.archive import compressed
from buildlib.archive.compressed import Content
from buildlib.cache.digests import Digests
from buildlib.errors import ArchiveError
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


class Packs:
    """Contents on disk, and the packs that are made of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests = Digests(root, root / "digests.json")
        self.compressed: list[str] = []

    def content(self, name: str, data: bytes | None = None) -> Content:
        data = CONTENTS[name] if data is None else data
        path = self.root / "contents" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return Content(str(path), file(name, data).sha256, len(data))

    def make(
        self,
        contents: Iterable[Content],
        name: str = "a",
        *,
        reuse: Iterable[str] = (),
        keep: bool = False,
    ) -> dict[str, bytes]:
        """Make a pack, and return the data of each member by its content, after checking it."""
        contents = list(contents)
        self.compressed.clear()
        members = compressed.compressed(
            self.root / name,
            contents,
            reuse=[self.root / other for other in reuse],
            keep=keep,
            digests=self.digests,
            cores=self.root.parent / "locks",
        )
        assert members.keys() == {content.sha256 for content in contents}
        return {digest: read(digest, member) for digest, member in members.items()}

    def index(self, name: str = "a") -> Path:
        return self.root / f"{name}.json"

    def held(self, name: str = "a") -> set[str]:
        return set(json.loads(self.index(name).read_text())["record"]["members"])


def read(digest: str, member: CompressedMember) -> bytes:
    """Return the data of a member, after checking it against its description."""
    with Path(member.pack).open("rb") as stream:
        stream.seek(member.offset)
        data = stream.read(member.compressed_size)
    assert len(data) == member.compressed_size
    content = zlib.decompress(data, -15) if member.method == compressed.DEFLATED else data
    assert (len(content), zlib.crc32(content)) == (member.size, member.crc)
    assert file("", content).sha256 == digest
    return data


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packs:
    """Give packs that note what is really compressed, in `compressed`."""
    packs = Packs(tmp_path)
    compress = compressed._compress_one  # noqa: SLF001 - the one place where it happens

    def noted(content: Content) -> tuple[CompressedMember, bytes | bytearray]:
        packs.compressed.append(Path(content.path).name)
        return compress(content)

    monkeypatch.setattr(compressed, "_compress_one", noted)
    return packs


def test_members(packs: Packs) -> None:
    """Every member is the deflate of the pinned encoder, or the content where that is smaller."""
    contents = [packs.content(name) for name in CONTENTS]
    found = packs.make(contents)
    for content, data in zip(contents, CONTENTS.values(), strict=True):
        small = bytes(deflate.deflate_compress(data, contract.DEFLATE_LEVEL))
        assert found[content.sha256] == min(data, small, key=len)


@pytest.mark.parametrize("name", ["noise", "empty", "small"])
def test_what_does_not_shrink(packs: Packs, name: str) -> None:
    """What deflate would not make smaller is stored."""
    content = packs.content(name)
    assert packs.make([content]) == {content.sha256: CONTENTS[name]}
    (member,) = compressed.load(packs.root / "a", packs.digests).values()
    assert member.method == compressed.STORED


# Texts of which the pinned encoder makes exactly as many bytes as they have.
TIES = [b"def beta return \n import os \n x def", b"beta \n  = 1 return \n \n alpha gamma"]


@pytest.mark.parametrize("tie", TIES)
def test_what_stays_as_large(packs: Packs, tie: bytes) -> None:
    """What deflate leaves at its size does not shrink: it is stored, as the contract says."""
    assert len(deflate.deflate_compress(tie, contract.DEFLATE_LEVEL)) == len(tie)
    content = packs.content("tie", tie)
    assert packs.make([content]) == {content.sha256: tie}
    (member,) = compressed.load(packs.root / "a", packs.digests).values()
    assert member.method == compressed.STORED


def test_nothing(packs: Packs) -> None:
    """A function without files of one kind needs no pack for them."""
    assert packs.make([]) == {}
    assert not packs.index().exists()


def test_reuse(packs: Packs) -> None:
    """What is in the pack is not compressed again; what is new is."""
    text, more = packs.content("text"), packs.content("more")
    packs.make([text])
    assert packs.compressed == ["text"]
    packs.make([text])
    assert packs.compressed == []
    packs.make([text, more])
    assert packs.compressed == ["more"]


def test_reuse_by_content(packs: Packs) -> None:
    """A file that was renamed, or is there twice, is one member."""
    packs.make([packs.content("text")])
    renamed = packs.content("renamed", CONTENTS["text"])
    packs.make([renamed, packs.content("text")])
    assert packs.compressed == []


def test_reuse_of_other_packs(packs: Packs) -> None:
    """Another pack lends its members, and nothing that is not wanted; a missing one nothing."""
    text, more = packs.content("text"), packs.content("more")
    expected = packs.make([text, more])
    found = packs.make([text], "b", reuse=["a", "nothing"])
    assert packs.compressed == []
    assert found == {text.sha256: expected[text.sha256]}
    assert packs.held("b") == {text.sha256}


def test_what_is_lent_is_read(packs: Packs) -> None:
    """A member of another pack is not taken for a file that is not what it is said to be: the
    content that a wheel's RECORD names may be an older one.
    """
    text, more = packs.content("text"), packs.content("more")
    packs.make([text, more])
    Path(text.path).write_bytes(CONTENTS["text"].upper())
    with pytest.raises(ArchiveError, match=r"text: changed since it was staged"):
        packs.make([text, more], "b", reuse=["a"])
    assert not packs.index("b").exists()


def test_prune(packs: Packs) -> None:
    """Without `keep`, what is no longer wanted leaves the pack."""
    text, more = packs.content("text"), packs.content("more")
    packs.make([text, more])
    size = (packs.root / "a").stat().st_size
    packs.make([text])
    assert packs.compressed == []
    assert packs.held() == {text.sha256}
    assert (packs.root / "a").stat().st_size < size


def test_keep(packs: Packs) -> None:
    """With `keep`, what others want stays in the pack."""
    text, more = packs.content("text"), packs.content("more")
    packs.make([text], keep=True)
    packs.make([more], keep=True)
    assert packs.compressed == ["more"]
    assert packs.held() == {text.sha256, more.sha256}
    before = (packs.root / "a").stat().st_mtime_ns
    packs.make([text], keep=True)
    assert (packs.root / "a").stat().st_mtime_ns == before


def damage_flip(path: Path) -> None:
    """Change one byte, and set the mtime back."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def damage_truncate(path: Path) -> None:
    """Cut off the last byte."""
    os.truncate(path, path.stat().st_size - 1)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "flipped": ("a", damage_flip),
    "truncated": ("a", damage_truncate),
    "empty": ("a", lambda path: os.truncate(path, 0)),
    "gone": ("a", Path.unlink),
    "index gone": ("a.json", Path.unlink),
    "index truncated": ("a.json", damage_truncate),
    "index is a list": ("a.json", lambda path: path.write_text("[]")),
    "index without members": (
        "a.json",
        lambda path: path.write_text(json.dumps({"encoder": contract.encoder()})),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged(packs: Packs, damage: str) -> None:
    """A pack that is not what it was is made anew, with the same members."""
    contents = [packs.content(name) for name in CONTENTS]
    before = packs.make(contents)
    name, spoil = DAMAGES[damage]
    spoil(packs.root / name)
    assert packs.make(contents) == before
    assert sorted(packs.compressed) == sorted(CONTENTS)
    packs.make(contents)
    assert packs.compressed == []


def test_damaged_pack_lends_nothing(packs: Packs) -> None:
    """Members of a damaged pack are not copied into another."""
    text = packs.content("text")
    packs.make([text])
    damage_flip(packs.root / "a")
    packs.make([text], "b", reuse=["a"])
    assert packs.compressed == ["text"]


def test_other_encoder(packs: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members of another encoder, version or level are not used."""
    text = packs.content("text")
    packs.make([text])
    monkeypatch.setattr(contract, "encoder", lambda: "deflate 0.9.0 level 1")
    packs.make([text])
    packs.make([text], "b", reuse=["a"])
    assert packs.compressed == []
    monkeypatch.setattr(contract, "encoder", lambda: "deflate 1.0.0 level 1")
    packs.make([text], "b", reuse=["a"])
    assert packs.compressed == ["text"]


def test_other_content(packs: Packs) -> None:
    """A file that is not what was staged is an error, and the earlier pack stays."""
    text, more = packs.content("text"), packs.content("more")
    expected = packs.make([text])
    Path(more.path).write_bytes(CONTENTS["more"].upper())
    with pytest.raises(
        ArchiveError, match=r"more: changed since it was staged; run the build again"
    ):
        packs.make([text, more])
    assert packs.make([text]) == expected
    assert packs.compressed == []
    assert sorted(os.listdir(packs.root)) == ["a", "a.json", "contents"]


def test_threads_and_order(packs: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The members do not depend on the number of threads, nor on the order of the files."""
    contents = [packs.content(f"{n}", CONTENTS["text"] * n + NOISE[:n]) for n in range(1, 40)]
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    expected = packs.make(contents, "one")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for name, order in {"two": contents, "three": contents[::-1]}.items():
        assert packs.make(order, name) == expected


def test_bounded_memory(packs: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the room for what is compressed at a time, everything is."""
    contents = [packs.content(name) for name in CONTENTS]
    expected = packs.make(contents, "a")
    monkeypatch.setattr(compressed, "_IN_FLIGHT", 1)
    assert packs.make(contents, "b") == expected


def test_too_large(packs: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Lambda would refuse anyway is stored from its own file, not read into memory."""
    monkeypatch.setattr(compressed, "UNZIPPED_LIMIT", 1000)
    text, small = packs.content("text"), packs.content("small")
    found = packs.make([text, small])
    assert found == {text.sha256: CONTENTS["text"], small.sha256: b"x"}
    assert packs.compressed == ["small"]


def test_stored(packs: Packs) -> None:
    """A stored member is the file itself, if it is what it should be."""
    for name, data in CONTENTS.items():
        content = packs.content(name)
        member = compressed.stored(content)
        assert (member.pack, member.offset, member.method) == (content.path, 0, compressed.STORED)
        assert read(content.sha256, member) == data
    with pytest.raises(ArchiveError, match=r"small: changed since it was staged"):
        compressed.stored(packs.content("small")._replace(sha256="0" * 64))


@pytest.mark.parametrize("torn", [False, True], ids=["between", "torn"])
@pytest.mark.parametrize("earlier", ["nothing", "text", "text and more"])
def test_a_crash_at_every_step(packs: Packs, earlier: str, torn: bool) -> None:
    """A process that dies while it writes a pack leaves one that is right, or counts as none."""
    text, more, small = (packs.content(name) for name in ("text", "more", "small"))
    before = {"nothing": [], "text": [text], "text and more": [text, more]}[earlier]
    expected = packs.make([text, small], "expected")
    for crashes in each(packs.root, torn=torn):
        compressed.discard(packs.root / "a")
        packs.make(before)
        with contextlib.suppress(Crash), crashes:
            packs.make([text, small])
        for member in compressed.load(packs.root / "a", packs.digests).items():
            read(*member)
        assert packs.make([text, small]) == expected
        assert packs.make([text, small], "b", reuse=["a"]) == expected
        compressed.discard(packs.root / "b")


def test_discard(packs: Packs) -> None:
    """A pack goes with its index; one that is not there may go as well."""
    packs.make([packs.content("text")])
    compressed.discard(packs.root / "a")
    compressed.discard(packs.root / "a")
    assert os.listdir(packs.root) == ["contents"]
