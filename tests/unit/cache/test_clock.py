"""Files are old by the time of the file system, and only where that is known."""

import os
import time
from pathlib import Path

import pytest

from buildlib.cache import clock
from buildlib.cache.clock import Clock

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nothing is ever old there")


def began(root: Path) -> tuple[int, int]:
    """Return the device and the time at which a run begins now."""
    one = Clock(root, root / "build")
    one.begin()
    assert one._began is not None  # noqa: SLF001 - what the others derive from
    return one._began  # noqa: SLF001


def test_the_time_is_that_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run begins between a file that was written before it and one that is written after it,
    whatever time this machine has.
    """
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    (tmp_path / "a").touch()
    device, now = began(tmp_path)
    time.sleep(0.02)
    (tmp_path / "b").touch()
    first, second = (tmp_path / "a").stat(), (tmp_path / "b").stat()
    assert device == first.st_dev
    assert first.st_ctime_ns <= now < second.st_ctime_ns
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_without_unnamed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file needs a name, it is in the given folder; the time is the same."""
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    (tmp_path / "a").touch()
    device, now = began(tmp_path)
    assert (tmp_path / "a").stat().st_ctime_ns <= now
    assert device == tmp_path.stat().st_dev
    assert [path.name for path in (tmp_path / "build").iterdir()] == [".clock"]
    assert began(tmp_path)[1] >= now


def test_old(tmp_path: Path) -> None:
    """A file is old if it is older than the grain, and on the device of the repository."""
    one = Clock(tmp_path, tmp_path / "build")
    device, now = began(tmp_path)
    assert one.is_old(now - clock.GRAIN_NS - 10**9, {device})
    assert not one.is_old(now - clock.GRAIN_NS + 10**9, {device})
    assert not one.is_old(0, {device, device + 1})
    assert one.is_old(0, set())


@pytest.mark.parametrize(
    ("kind", "known"), [("ext4", True), ("exfat", False), ("9p", False), ("fuse.sshfs", False)]
)
def test_file_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, known: bool
) -> None:
    """Nothing is old on a file system that may not keep the time of a change."""
    if not Path("/proc/self/mountinfo").exists():
        pytest.skip("Linux")
    place = os.path.realpath(tmp_path).replace(" ", "\\040")
    text = f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {place} rw shared:1 - {kind} x rw\n"
    text += f"3 1 0:3 / {place}x rw - ext4 x rw\n"
    read = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, **options: text if path.name == "mountinfo" else read(path, **options),
    )
    assert bool(began(tmp_path)[1]) == known


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Where no file can be made, the time is unknown, and nothing is old."""
    one = Clock(tmp_path / "missing", tmp_path / "missing/build")
    assert not one.is_old(0, {tmp_path.stat().st_dev})
