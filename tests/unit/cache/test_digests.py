"""Content decides; what is remembered can only save work."""

import os
import shutil
import time
from pathlib import Path

import pytest

from buildlib.cache import clock, digests
from buildlib.cache.digests import Digests
from buildlib.files import records
from tests.unit.conftest import file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nothing is remembered there")


class Reads(list[str]):
    """The names of the files that were hashed, in order."""


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Give the files whose content was hashed; hashing goes on as always."""
    made = Reads()
    sha256 = digests.sha256

    def counted(path: str | Path) -> str:
        made.append(Path(path).name)
        return sha256(path)

    monkeypatch.setattr(digests, "sha256", counted)
    return made


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be older than a clock's grain."""
    monkeypatch.setattr("buildlib.cache.clock.GRAIN_NS", -(10**10))


def of(digests: Digests, path: Path) -> str:
    """Return the digest of a file as it is now."""
    return digests.sha256_of(str(path), path.stat())


def again(digests: Digests, root: Path) -> Digests:
    """Return the digests as the next run has them."""
    digests.save()
    return Digests(root, root / "build/digests.json")


@pytest.mark.usefixtures("aged")
def test_remembered(tmp_path: Path, digests: Digests, reads: Reads) -> None:
    """A file that nothing touched is read once, also by later runs."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    expected = file("a", b"1").sha256
    assert of(digests, path) == of(digests, path) == expected
    assert of(again(digests, tmp_path), path) == expected
    assert reads == ["a"]


@pytest.mark.usefixtures("aged")
def test_same_size_and_mtime(tmp_path: Path, digests: Digests, reads: Reads) -> None:
    """An edit of the same size whose mtime was set back is seen."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = path.stat()
    of(digests, path)
    digests = again(digests, tmp_path)
    time.sleep(0.02)  # the clock of the file system ticks
    path.write_bytes(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert of(digests, path) == file("a", b"2").sha256
    assert reads == ["a", "a"]


@pytest.mark.usefixtures("aged")
def test_replaced_by_another(tmp_path: Path, digests: Digests) -> None:
    """A file of the same size and mtime that was moved over it is seen."""
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"1")
    other.write_bytes(b"2")
    for one in (path, other):
        os.utime(one, (10**9, 10**9))
    of(digests, path)
    os.replace(other, path)
    assert of(digests, path) == file("a", b"2").sha256


@pytest.mark.usefixtures("aged")
def test_touched(tmp_path: Path, digests: Digests, reads: Reads) -> None:
    """A moved mtime costs one more reading and changes no digest."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = of(digests, path)
    os.utime(path, (10**9, 10**9))
    assert of(digests, path) == of(digests, path) == before
    assert reads == ["a", "a"]


def test_too_young(tmp_path: Path, digests: Digests, reads: Reads) -> None:
    """A file that was changed a moment ago may change again unseen: it is not remembered."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    of(digests, path)
    of(digests, path)
    assert reads == ["a", "a"]
    digests.save()
    assert not (tmp_path / "build/digests.json").exists()


@pytest.mark.parametrize(("seconds", "is_known"), [(0.5, False), (1.9, False), (2.1, True)])
def test_grain(
    tmp_path: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch, seconds: float, is_known: bool
) -> None:
    """A file is remembered once it is older than the coarsest timestamps in use: 2 s, on FAT."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    now = path.stat().st_ctime_ns + int(seconds * 10**9)
    monkeypatch.setattr(clock, "_now", lambda *_: (path.stat().st_dev, now))
    digests = Digests(tmp_path, tmp_path / "digests.json")
    of(digests, path)
    of(digests, path)
    assert (reads == ["a"]) == is_known


def test_old_mtime_does_not_make_it_old(tmp_path: Path, digests: Digests, reads: Reads) -> None:
    """What counts is the last change of any kind: an old mtime can have been set just now."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    os.utime(path, (10**9, 10**9))
    of(digests, path)
    of(digests, path)
    assert reads == ["a", "a"]


def test_remembered_then_young(
    tmp_path: Path, digests: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest that was remembered is forgotten when the file is too young to be sure."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    with monkeypatch.context() as patch:
        patch.setattr("buildlib.cache.clock.GRAIN_NS", -(10**10))
        of(digests, path)
        digests = again(digests, tmp_path)
    path.write_bytes(b"22")
    of(digests, path)
    digests = again(digests, tmp_path)
    assert records.read(tmp_path / "build/digests.json", records.mapping)["files"] == {}


@pytest.mark.usefixtures("aged")
def test_restored_elsewhere(tmp_path: Path, reads: Reads) -> None:
    """A record that is restored in another checkout says nothing wrong about its files."""
    one, other = tmp_path / "one", tmp_path / "other/deeper"
    (one / "src").mkdir(parents=True)
    (one / "src/a").write_bytes(b"1")
    digests = Digests(one, one / "build/digests.json")
    of(digests, one / "src/a")
    digests.save()
    shutil.copytree(one, other)
    (other / "src/a").write_bytes(b"2")
    digests = Digests(other, other / "build/digests.json")
    assert of(digests, other / "src/a") == file("a", b"2").sha256
    assert of(again(digests, other), other / "src/a") == file("a", b"2").sha256
    assert reads == ["a", "a"]


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 1}',
        '{"format": 1, "files": []}',
        '{"format": 0, "files": {"a": ["0", 1, 1, 1, 1]}}',
        '{"format": 1, "files": {"a": ["0"]}}',
        '{"format": 1, "files": {"a": "0000"}}',
        '{"format": 1, "files": {"a": 5}}',
    ],
)
def test_damaged_record(tmp_path: Path, record: str) -> None:
    """A record that cannot be read, or is of another format, is as good as none."""
    path = tmp_path / "record"
    path.write_text(record)
    (tmp_path / "a").write_bytes(b"1")
    assert of(Digests(tmp_path, path), tmp_path / "a") == file("a", b"1").sha256


@pytest.mark.usefixtures("aged")
def test_record_that_cannot_be_written(tmp_path: Path) -> None:
    """Where no record can be written, the digests are right all the same."""
    (tmp_path / "a").write_bytes(b"1")
    digests = Digests(tmp_path, tmp_path / "a/record")
    assert of(digests, tmp_path / "a") == file("a", b"1").sha256
    digests.save()


@pytest.mark.usefixtures("aged")
def test_nothing_new_is_not_written(tmp_path: Path, digests: Digests) -> None:
    """A run that learns nothing writes nothing."""
    (tmp_path / "a").write_bytes(b"1")
    of(digests, tmp_path / "a")
    digests = again(digests, tmp_path)
    of(digests, tmp_path / "a")
    (tmp_path / "build/digests.json").unlink()
    digests.save()
    assert not (tmp_path / "build/digests.json").exists()
