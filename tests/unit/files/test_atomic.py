"""A file is replaced in one step, or stays as it was."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from buildlib.files import atomic
from tests.unit.conftest import write


def test_replacing(tmp_path: Path) -> None:
    """The new content takes the place of the old one, in a folder made for it, leaving no rest."""
    path = tmp_path / "new/file"
    for content in (b"1", b"2"):
        atomic.write(path, content)
        assert path.read_bytes() == content
        assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_replacing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    """The old content stays, and no temporary file, whatever ends the writing."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(b"half")
            assert path.read_bytes() == b"old"
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_replacing_without_writing(tmp_path: Path) -> None:
    """A writer that wrote nothing leaves the old content, and says so."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), atomic.replacing(path):
        pass
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a": 1}x'])
def test_read_damaged_json(tmp_path: Path, content: bytes) -> None:
    """What a crash left behind counts as not there."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert atomic.read_json(path) is None


def test_read_json(tmp_path: Path) -> None:
    """JSON comes back as it was written; where no file can be, there is none."""
    path = tmp_path / "file"
    path.write_text('{"a": ["\u00fc", null]}', encoding="utf-8")
    assert atomic.read_json(path) == {"a": ["\u00fc", None]}
    assert atomic.read_json(tmp_path / "other") is None
    assert atomic.read_json(path / "below") is None


def test_remove(tmp_path: Path) -> None:
    """Files, folders and nothing can be removed; a link goes, what it points to stays."""
    write(tmp_path, {"folder/a/b": "", "file": ""})
    if os.name != "nt":
        (tmp_path / "link").symlink_to("folder")
        atomic.remove(tmp_path / "link")
        assert (tmp_path / "folder/a/b").exists()
    for name in ("folder", "file", "nothing"):
        atomic.remove(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_two_remove_the_same(tmp_path: Path) -> None:
    """Threads that remove one folder at the same time all succeed."""
    write(tmp_path, {f"folder/{n % 20}/{n}": "" for n in range(2000)})
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(atomic.remove, tmp_path / "folder") for _ in range(4)]
        for job in jobs:
            job.result()
    assert os.listdir(tmp_path) == []


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the current folder is written there, by way of a file next to it."""
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []
    replace = os.replace

    def noted(old: str, new: str) -> None:
        seen.append(str(old))
        replace(old, new)

    monkeypatch.setattr(os, "replace", noted)
    atomic.write(Path("state.json"), b"{}")
    assert (tmp_path / "state.json").read_bytes() == b"{}"
    assert [os.path.dirname(one) for one in seen] == [""]
