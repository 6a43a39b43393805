"""Whatever differs between two ZIPs is found, and said in words."""

import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from buildlib.archive import diff
from buildlib.errors import ArchiveError

TIME = (2012, 12, 12, 12, 12, 0)
FILES: dict[str, bytes] = {"a.py": b"x = 1\ny = 2\n", "b.bin": bytes(range(256)) * 8}


def make(
    path: Path,
    files: dict[str, bytes] | None = None,
    compression: int = zipfile.ZIP_DEFLATED,
    note: bytes = b"",
    **fields: Any,  # noqa: ANN401 - of a ZipInfo
) -> Path:
    """Write a ZIP; `fields` are those of the member a.py."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (FILES if files is None else files).items():
            info = zipfile.ZipInfo(name, TIME)
            info.external_attr = 0o100755 << 16
            info.compress_type = compression
            for field, value in fields.items() if name == "a.py" else ():
                setattr(info, field, value)
            archive.writestr(info, content)
        archive.comment = note
    return path


def lines(one: Path, other: Path) -> list[str]:
    """Return what differs."""
    return [line for found in diff.differences(one, other) for line in str(found).splitlines()]


def test_equal(tmp_path: Path) -> None:
    """Equal bytes have no difference."""
    assert diff.differences(make(tmp_path / "a.zip"), make(tmp_path / "b.zip")) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"external_attr": 0o100644 << 16}, ["a.py: mode: 0100755 | 0100644"]),
        (
            {"date_time": (2024, 2, 29, 1, 2, 4)},
            ["a.py: time: 2012-12-12 12:12:00 | 2024-02-29 01:02:04"],
        ),
        (
            {"extra": b"UT\5\0\1abcd"},
            [
                "a.py: extra: none | 555405000161626364",
                "a.py: extra in the local header: none | 555405000161626364",
            ],
        ),
        ({"comment": b"hello"}, ["a.py: comment: none | b'hello'"]),
        ({"create_system": 0}, ["a.py: made by: Unix 2.0 | MS-DOS 2.0"]),
        (
            {"external_attr": 0o100755 << 16 | 0x20},
            ["a.py: attributes: MS-DOS 0x0000, internal 0x0000 | MS-DOS 0x0020, internal 0x0000"],
        ),
    ],
)
def test_metadata(tmp_path: Path, fields: dict[str, Any], expected: list[str]) -> None:
    """Each field of the headers is compared, and both values are shown."""
    one, other = make(tmp_path / "a.zip"), make(tmp_path / "b.zip", **fields)
    assert lines(one, other) == expected


def test_flags(tmp_path: Path) -> None:
    """A flag is seen, also where only a stream that cannot be rewound sets it."""
    one, other = make(tmp_path / "a.zip", {"a.py": b"x"}), tmp_path / "b.zip"

    class Stream:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

        def flush(self) -> None:
            pass

    stream = Stream()
    make(stream, {"a.py": b"x"})  # type: ignore[arg-type]
    other.write_bytes(stream.data)
    assert "a.py: flags: 0x0000 | 0x0008" in lines(one, other)


def test_text(tmp_path: Path) -> None:
    """Of a text, the first line that differs is shown."""
    one = make(tmp_path / "a.zip", {"a.py": b"x = 1\ny = 2\n"})
    other = make(tmp_path / "b.zip", {"a.py": b"x = 1\ny = 3\n"})
    first, second = lines(one, other)
    assert first.startswith("a.py: data: 12 bytes, sha256 ")
    assert second == r"  line 2: 'y = 2\n' | 'y = 3\n'"
    longer = make(tmp_path / "b.zip", {"a.py": b"x = 1\ny = 2\nz = 3\n"})
    assert lines(one, longer)[1] == r"  line 3: the end | 'z = 3\n'"
    ends = make(tmp_path / "b.zip", {"a.py": b"x = 1\r\ny = 2\n"})
    assert lines(one, ends)[1] == r"  line 1: 'x = 1\n' | 'x = 1\r\n'"


def test_binary(tmp_path: Path) -> None:
    """Of other data, the first byte that differs is shown."""
    content = random.Random(1).randbytes(1000)  # noqa: S311
    other = content[:700] + bytes([content[700] ^ 255]) + content[701:]
    one = make(tmp_path / "a.zip", {"x": content})
    second = lines(one, make(tmp_path / "b.zip", {"x": other}))[1]
    assert second.startswith(f"  from byte 700 on: {content[700]:02x} ")
    assert lines(one, make(tmp_path / "b.zip", {"x": content[:-1]}))[1].endswith("| the end")


def test_names_and_order(tmp_path: Path) -> None:
    """Members that only one has, another order, and names in another case or Unicode form."""
    one = make(tmp_path / "a.zip", {"a": b"1", "b": b"2", "c": b"3", "\u00e9": b"4"})
    other = make(tmp_path / "b.zip", {"b": b"2", "a": b"1", "C": b"3", "e\u0301": b"4", "d": b""})
    found = lines(one, other)
    assert "c: name: c | C" in found
    assert "\u00e9: name: c3 a9 | 65 cc 81" in found
    assert "d: member: missing | present" in found
    assert "order: a | b" in found
    assert len([line for line in found if not line.startswith(" ")]) == 4


def test_several_of_one_name(tmp_path: Path) -> None:
    """A name that is there twice counts twice."""
    one, other = make(tmp_path / "a.zip", {"a": b"1"}), tmp_path / "b.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a", TIME), b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(zipfile.ZipInfo("a", TIME), b"1")
    assert "a: member: missing | present" in lines(one, other)


def test_compression(tmp_path: Path) -> None:
    """Another method, or another compressor, is said to have the same content."""
    one, stored = make(tmp_path / "a.zip"), make(tmp_path / "b.zip", compression=0)
    found = lines(one, stored)
    assert "a.py: method: deflate | stored" in found
    assert not any("data" in line for line in found)
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            info = zipfile.ZipInfo(name, TIME)
            info.external_attr = 0o100755 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=0)
    found = lines(one, tmp_path / "c.zip")
    assert any(line.startswith("b.bin: compressed data: ") for line in found)
    assert "  the content is the same" in found


def test_headers_that_disagree(tmp_path: Path) -> None:
    """A local header that says something else than the central one is seen."""
    one, other = make(tmp_path / "a.zip"), tmp_path / "b.zip"
    data = bytearray(one.read_bytes())
    data[10:14] = b"\0\0\x21\0"  # the time and the date of the first member
    other.write_bytes(data)
    assert lines(one, other) == ["a.py: time in the local header: the same | 1980-01-01 00:00:00"]


def test_outside_of_members(tmp_path: Path) -> None:
    """The archive's comment, and bytes between members, are compared too."""
    one = make(tmp_path / "a.zip")
    assert lines(one, make(tmp_path / "b.zip", note=b"hi")) == ["comment: b'' | b'hi'"]
    data = bytearray(one.read_bytes())
    data[14] ^= 1  # the CRC in the first local header
    (tmp_path / "b.zip").write_bytes(data)
    (found,) = lines(one, tmp_path / "b.zip")
    assert found.startswith("bytes from 14 on, outside of all members: ")


def test_any_flipped_byte_is_a_difference(tmp_path: Path) -> None:
    """There is no byte that can change unseen: the ZIPs differ, or one is no ZIP."""
    one, other = make(tmp_path / "a.zip", note=b"c"), tmp_path / "b.zip"
    data = one.read_bytes()
    for at in range(len(data)):
        other.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        try:
            found = bool(diff.differences(one, other))
        except ArchiveError:
            found = True
        assert found, at


@pytest.mark.parametrize("size", [0, 1, 21, 22, 50])
def test_cut(tmp_path: Path, size: int) -> None:
    """Any start of a ZIP is none."""
    one, other = make(tmp_path / "a.zip"), tmp_path / "b.zip"
    other.write_bytes(one.read_bytes()[:-size] if size else b"")
    with pytest.raises(ArchiveError, match=r"b\.zip: not a readable ZIP"):
        diff.differences(one, other)


def test_zip64(tmp_path: Path) -> None:
    """Archives with more members than the old format counts are read."""
    files = {f"{number:05}": b"" for number in range(65_600)}
    one, other = make(tmp_path / "a.zip", files), make(tmp_path / "b.zip", files | {"00007": b"x"})
    assert lines(one, other)[0].startswith("00007: data: 0 bytes")


def test_bomb(tmp_path: Path) -> None:
    """Data that is far larger than it says is refused, not unpacked."""
    one = make(tmp_path / "a.zip", {"x": bytes(10_000_000)})
    data = one.read_bytes()
    other = tmp_path / "b.zip"
    other.write_bytes(data.replace((10_000_000).to_bytes(4, "little"), b"\1\0\0\0"))
    with pytest.raises(ArchiveError, match="does not have the size"):
        diff.differences(make(tmp_path / "c.zip", {"x": b"y"}), other)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the comparison as a program."""
    command = [sys.executable, "-m", "buildlib", "diff", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_program(tmp_path: Path) -> None:
    """The exit code says equal, different or unusable; a mistake is one line."""
    one, same = make(tmp_path / "a.zip"), make(tmp_path / "b.zip")
    other = make(tmp_path / "c.zip", {"a.py": b""})
    done = run(one, same)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{one} and {same} are equal: sha256 ")
    done = run(one, other)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"{one} | {other}\nb.bin: member: present | missing\n")
    done = run(one, tmp_path / "gone.zip")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == f"error: {tmp_path}{os.sep}gone.zip: no such file or directory\n"
        "More: lambdas errors zip\n"
    )
    done = run(one)
    assert (done.returncode, done.stderr.partition(" ")[0]) == (2, "error:")
