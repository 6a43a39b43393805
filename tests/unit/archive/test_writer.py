"""A ZIP is written from its members, in one order, and nothing else."""

import hashlib
import zipfile
import zlib
from pathlib import Path

import pytest

from buildlib.archive import writer
from buildlib.errors import ArchiveError
from buildlib.model import CompressedMember

CONTENTS = {"b.py": b"B = 1\n", "a/\u00fc.py": b"U = 1\n" * 100, "empty": b"", "A": b"a"}


def members(folder: Path) -> list[tuple[str, CompressedMember]]:
    """Return the contents as members: stored, from their own file or one after the other."""
    (folder / "pack").write_bytes(b"x" + b"".join(CONTENTS.values()))
    found, offset = [], 1
    for name, data in CONTENTS.items():
        member = CompressedMember(
            *(str(folder / "pack"), offset, len(data), len(data), zlib.crc32(data), 0)
        )
        found.append((name, member))
        offset += len(data)
    (folder / "alone").write_bytes(b"alone")
    alone = CompressedMember(str(folder / "alone"), 0, 5, 5, zlib.crc32(b"alone"), 0)
    return [*found, ("alone", alone)]


def test_written(tmp_path: Path) -> None:
    """The result tells the sha256, the size and the unzipped size of what is there."""
    path = tmp_path / "out.zip"
    written = writer.write(path, members(tmp_path))
    data = path.read_bytes()
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    assert written.size == len(data)
    assert written.unzipped_size == sum(map(len, CONTENTS.values())) + 5
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            **CONTENTS, "alone": b"alone",
        }  # fmt: skip


def test_order(tmp_path: Path) -> None:
    """Members stand in the order of their names' UTF-8 bytes, whatever the order they come in."""
    path, other = tmp_path / "out.zip", tmp_path / "other.zip"
    writer.write(path, members(tmp_path))
    writer.write(other, members(tmp_path)[::-1])
    assert path.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["A", "a/\u00fc.py", "alone", "b.py", "empty"]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """The bytes do not depend on how many are copied at a time."""
    expected = writer.write(tmp_path / "expected.zip", members(tmp_path))
    monkeypatch.setattr(writer, "CHUNK", chunk)
    assert writer.write(tmp_path / "out.zip", members(tmp_path)) == expected


@pytest.mark.parametrize("change", [b"ALONE", b"alon", b""])
def test_a_member_that_changed(tmp_path: Path, change: bytes) -> None:
    """A stored file that is not what was read before is an error that names it."""
    found = members(tmp_path)
    (tmp_path / "alone").write_bytes(change)
    with pytest.raises(ArchiveError, match=r"^alone: ") as error:
        writer.write(tmp_path / "out.zip", found)
    assert error.value.kind == "changed"


def test_a_pack_that_is_too_short(tmp_path: Path) -> None:
    """A pack that ends before a member does is an error, also for a compressed member."""
    data = b"text " * 100
    small = zlib.compress(data)[2:-4]
    (tmp_path / "pack").write_bytes(small)
    member = CompressedMember(
        *(str(tmp_path / "pack"), 0, len(small), len(data), zlib.crc32(data), 8)
    )
    writer.write(tmp_path / "out.zip", [("a", member)])
    (tmp_path / "pack").write_bytes(small[:-1])
    with pytest.raises(ArchiveError):
        writer.write(tmp_path / "out.zip", [("a", member)])
