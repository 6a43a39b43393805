"""The bytes of the ZIP: equal to golden values, valid by the format, readable by other programs."""

import hashlib
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import deflate
import pytest

from buildlib.archive import compress, members, writer
from buildlib.cache.packs import STORED
from buildlib.errors import ArchiveError
from buildlib.model import CompressedMember

# Version 1 of the byte contract. A change here makes every user redeploy once, so it needs a new
# version in buildlib/contract.py, and entries in the changelog and on the contract's page.
GOLDEN_DEFLATED = "536d03c89c5b3c0ef308df13766bebdb862eaee485bb2e4ff80744454eefd493"
GOLDEN_STORED = "a1b510c253e5a2c7e3bfde0fcc9f7f2713752bc6be5e6397836d383de1194ec2"

_RANDOM = random.Random(1)  # noqa: S311 - the same bytes on every machine
TREE = {
    "app.py": b"def handler(event, context):\n    return event\n" * 20,
    "pkg/__init__.py": b"",
    "pkg/data.bin": _RANDOM.randbytes(70_000),
    "pkg/text.txt": b"".join(b"line %d of a longer text\n" % n for n in range(20_000)),
    "pkg/z\u00fcrich.txt": "Z\u00fcrich\n".encode() * 50,
    "pkg-1.dist-info/METADATA": b"Name: pkg\nVersion: 1\n",
    "B.txt": b"upper case sorts before lower case",
}


def build(tree: Mapping[str, bytes], folder: Path, *, stored: bool = False) -> Path:
    """Write `tree` to disk and to a ZIP, with the functions of a real build."""
    contents = {}
    for name, data in tree.items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        contents[name] = compress.Content(str(path), hashlib.sha256(data).hexdigest(), len(data))
    path = folder / "out.zip"
    if stored:
        written = writer.write(path, ((n, compress.stored(c)) for n, c in contents.items()))
    else:
        with members.of_own(contents.values(), folder / "locks", folder) as (found, own):
            pairs = [(name, found[content.sha256]) for name, content in contents.items()]
            written = writer.write(path, pairs, own=own)
    data = path.read_bytes()
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    assert (written.size, written.unzipped_size) == (len(data), sum(map(len, tree.values())))
    return path


@pytest.mark.parametrize(("stored", "golden"), [(False, GOLDEN_DEFLATED), (True, GOLDEN_STORED)])
@pytest.mark.parametrize("cores", [1, 3])
def test_golden_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: bool, golden: str, cores: int
) -> None:
    """The same tree gives the committed sha256 on every machine, Python and number of cores."""
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    path = build(TREE, tmp_path, stored=stored)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == golden


def test_the_standard_library_writes_the_same(tmp_path: Path) -> None:
    """Without compression, Python's own zipfile gives exactly the same bytes for such members."""
    reference = tmp_path / "reference.zip"
    with zipfile.ZipFile(reference, "w") as opened:
        for name in sorted(TREE, key=str.encode):
            info = zipfile.ZipInfo(name, (2012, 12, 12, 12, 12, 0))
            info.create_system = 3
            info.external_attr = 0o100755 << 16
            opened.writestr(info, TREE[name])
    assert build(TREE, tmp_path, stored=True).read_bytes() == reference.read_bytes()


def test_every_field_of_the_contract(tmp_path: Path) -> None:
    """Order, time, mode, system, version, flags, extra fields and comments match the contract."""
    with zipfile.ZipFile(build(TREE, tmp_path)) as opened:
        infos = opened.infolist()
        assert opened.comment == b""
    assert [info.filename for info in infos] == sorted(TREE, key=str.encode)
    for info in infos:
        assert info.date_time == (2012, 12, 12, 12, 12, 0)
        assert info.external_attr == 0o100755 << 16
        assert (info.create_system, info.create_version, info.extract_version) == (3, 20, 20)
        assert (info.extra, info.comment, info.internal_attr, info.volume) == (b"", b"", 0, 0)
        assert info.flag_bits == (0 if info.filename.isascii() else 0x800)
    methods = {info.filename: info.compress_type for info in infos}
    assert methods["pkg/data.bin"] == zipfile.ZIP_STORED  # deflate would not shrink it
    assert methods["pkg/text.txt"] == zipfile.ZIP_DEFLATED


def test_local_headers_repeat_the_central_directory(tmp_path: Path) -> None:
    """Sizes and CRC are in the local headers, so there are no data descriptors."""
    path = build(TREE, tmp_path)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as opened:
        for info in opened.infolist():
            fields = struct.unpack_from("<4s5H3L2H", data, info.header_offset)
            assert fields[0] == b"PK\3\4"
            assert fields[6:9] == (info.CRC, info.compress_size, info.file_size)
            assert fields[10] == 0


def _readers(path: Path, target: Path) -> dict[str, list[str]]:
    return {
        "unzip": ["unzip", "-q", "-t", str(path)],
        "bsdtar": ["bsdtar", "-xf", str(path), "-C", str(target)],
        "7z": ["7z", "t", str(path)],
    }


@pytest.mark.parametrize("reader", ["zipfile", "unzip", "bsdtar", "7z"])
def test_others_can_read_it(tmp_path: Path, reader: str) -> None:
    """Every common program reads the archive and finds the contents intact."""
    path = build(TREE, tmp_path)
    if reader == "zipfile":
        with zipfile.ZipFile(path) as opened:
            assert {info.filename: opened.read(info) for info in opened.infolist()} == TREE
        return
    if shutil.which(reader) is None:
        assert "CI" not in os.environ or sys.platform != "linux", f"CI must have {reader}"
        pytest.skip(f"{reader} is not installed")
    target = tmp_path / "unpacked"
    target.mkdir()
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    command = _readers(path, target)[reader]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_empty_archive_is_legal(tmp_path: Path) -> None:
    """An empty tree still gives a valid ZIP."""
    written = writer.write(tmp_path / "empty.zip", [])
    assert written.size == 22
    with zipfile.ZipFile(tmp_path / "empty.zip") as opened:
        assert opened.namelist() == []


def test_zip64_for_many_members_and_only_then(tmp_path: Path) -> None:
    """65,534 members need no ZIP64 record, 65,536 do; both archives read back completely."""
    content = tmp_path / "content"
    content.write_bytes(b"x")
    member = CompressedMember(str(content), 0, 1, 1, deflate.crc32(b"x"), STORED)
    for count, zip64 in ((65_534, False), (65_536, True)):
        path = tmp_path / f"{count}.zip"
        writer.write(path, [(f"{number:05}", member) for number in range(count)])
        assert (b"PK\6\6" in path.read_bytes()[-200:]) is zip64
        with zipfile.ZipFile(path) as opened:
            assert len(opened.namelist()) == count
            assert opened.read("65000") == b"x"


@pytest.mark.slow
def test_zip64_for_a_large_member(tmp_path: Path) -> None:
    """A member of over 4 GiB, and one that starts beyond 4 GiB, read back intact."""
    large = tmp_path / "large"
    size = (1 << 32) + 5
    with large.open("wb") as stream:
        stream.truncate(size - 4)
        stream.seek(size - 4)
        stream.write(b"tail")
    digest = hashlib.sha256()
    with large.open("rb") as stream:
        while chunk := stream.read(1 << 24):
            digest.update(chunk)
    small = tmp_path / "small"
    small.write_bytes(b"small")
    contents = {
        "large": compress.Content(str(large), digest.hexdigest(), size),
        "later": compress.Content(str(small), hashlib.sha256(b"small").hexdigest(), 5),
    }
    path = tmp_path / "out.zip"
    writer.write(path, [(name, compress.stored(content)) for name, content in contents.items()])
    try:
        with zipfile.ZipFile(path) as opened:
            infos = {info.filename: info for info in opened.infolist()}
            assert infos["large"].file_size == size
            assert infos["large"].extract_version == 45
            assert infos["later"].header_offset > 1 << 32
            assert opened.read("later") == b"small"
            with opened.open("large") as member:
                member.seek(size - 4)
                assert member.read() == b"tail"
    finally:
        path.unlink()
        large.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Compressing and archiving a tree of 250 MB takes under 200 MB of memory."""
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
from tests.test_archive import build
import random
source = random.Random(2)
def block(size): return source.randbytes(size // 2) + bytes(size // 2)
folder = Path({str(tmp_path)!r})
import hashlib
from buildlib.archive import compress, members, writer
contents = {{}}
for number, size in enumerate([60 << 20, 40 << 20] + [1 << 20] * 150):
    path = folder / str(number)
    with path.open("wb") as stream:
        digest = hashlib.sha256()
        for _ in range(size >> 20):
            data = block(1 << 20); digest.update(data); stream.write(data)
    contents[path.name] = compress.Content(str(path), digest.hexdigest(), size)
with members.of_own(contents.values(), folder / "locks", folder) as (found, own):
    pairs = [(name, found[content.sha256]) for name, content in contents.items()]
    writer.write(folder / "out.zip", pairs, own=own)
# Not ru_maxrss: it begins with what the process had before it became this program.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout)
    assert peak < 200


def test_a_source_that_changes_is_noticed(tmp_path: Path) -> None:
    """If a stored member's file changes after its check, the write fails: no broken ZIP remains."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    member = compress.stored(compress.Content(str(path), hashlib.sha256(b"before").hexdigest(), 6))
    path.write_bytes(b"after!")
    with pytest.raises(ArchiveError, match="changed while it was read"):
        writer.write(tmp_path / "out.zip", [("file", member)])
