"""Finished ZIPs by their keys: whole or not there, and the ones that were used stay longest."""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from buildlib.cache.store import Store
from buildlib.model import Written
from tests.unit.crashes import Crash, each

KEY, OTHER = "a" * 64, "b" * 64


def written(content: bytes) -> Written:
    """Return the description of a ZIP with this content."""
    return Written(hashlib.sha256(content).hexdigest(), len(content), 10 * len(content))


def zipped(tmp_path: Path, content: bytes = b"content") -> tuple[Path, Written]:
    """Make a ZIP with this content, and return where it is, with its description."""
    path = tmp_path / f"{hashlib.sha256(content).hexdigest()}.made"
    path.write_bytes(content)
    return path, written(content)


@pytest.fixture(params=[False, True], ids=["own", "shared"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """Give an empty store: one of the checkout's own, and a shared one."""
    return Store(tmp_path / "store", shared=request.param)


def taken(store: Store, key: str, target: Path) -> bytes | None:
    """Take a ZIP, check it against its description, and return its content."""
    found = store.take(key, target)
    if found is None:
        return None
    content = target.read_bytes()
    assert written(content) == found
    return content


def test_put_and_take(store: Store, tmp_path: Path) -> None:
    """A ZIP comes back under its key as it was put there, and under no other."""
    store.put(KEY, *zipped(tmp_path))
    assert store.find(KEY) == written(b"content")
    assert taken(store, KEY, tmp_path / "target") == b"content"
    assert store.find(OTHER) is None
    assert taken(store, OTHER, tmp_path / "other") is None
    assert not (tmp_path / "other").exists()


def test_put_again(store: Store, tmp_path: Path) -> None:
    """The last ZIP of a key is the one that counts."""
    for content in (b"one", b"another"):
        store.put(KEY, *zipped(tmp_path, content))
        assert taken(store, KEY, tmp_path / "target") == content


def test_what_is_taken_from_a_shared_store_is_a_copy(store: Store, tmp_path: Path) -> None:
    """A ZIP that one checkout took and changes in place damages no other checkout's."""
    store.put(KEY, *zipped(tmp_path))
    taken(store, KEY, tmp_path / "target")
    (tmp_path / "target").write_bytes(b"CONTENT")
    assert taken(store, KEY, tmp_path / "again") == (b"content" if store.shared else None)


def test_what_was_added_may_change(store: Store, tmp_path: Path) -> None:
    """A ZIP that is changed in place after it was added is never taken."""
    path, description = zipped(tmp_path)
    store.put(KEY, path, description)
    path.write_bytes(b"CONTENT")
    assert taken(store, KEY, tmp_path / "target") is None


@pytest.mark.parametrize("content", [b"CONTENT", b"short", b""])
def test_a_damaged_entry_is_dropped(store: Store, tmp_path: Path, content: bytes) -> None:
    """A ZIP that is not what its record says is never given, and leaves nothing behind."""
    store.put(KEY, *zipped(tmp_path))
    path = store.folder / f"{KEY}.zip"
    path.unlink()
    path.write_bytes(content)
    assert taken(store, KEY, tmp_path / "target") is None
    assert not (tmp_path / "target").exists()
    store.put(KEY, *zipped(tmp_path))
    assert taken(store, KEY, tmp_path / "target") == b"content"


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"written": null}', '{"written": [1]}'])
def test_a_damaged_record(store: Store, tmp_path: Path, record: str) -> None:
    """A record that cannot be read makes its entry one that is not there."""
    store.put(KEY, *zipped(tmp_path))
    (store.folder / f"{KEY}.json").write_text(record)
    assert store.find(KEY) is None
    assert taken(store, KEY, tmp_path / "target") is None


def test_discard(store: Store, tmp_path: Path) -> None:
    """An entry goes as a whole; one that is not there may go as well."""
    store.put(KEY, *zipped(tmp_path))
    store.discard(KEY)
    store.discard(KEY)
    assert os.listdir(store.folder) == []


def test_evicted_while_it_is_taken(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that another process evicts is there once it was copied, and not before."""
    utime = os.utime

    def evicted(*arguments: object, **_: object) -> None:
        store.discard(KEY)
        utime(*arguments)  # type: ignore[arg-type]

    store.put(KEY, *zipped(tmp_path))
    monkeypatch.setattr(os, "utime", evicted)
    assert taken(store, KEY, tmp_path / "target") == b"content"
    assert store.find(KEY) is None
    monkeypatch.undo()
    store.put(KEY, *zipped(tmp_path))
    monkeypatch.setattr(Store, "find", lambda *_: written(b"content"))
    store.discard(KEY)
    (tmp_path / "target").unlink()
    assert taken(store, KEY, tmp_path / "target") is None


def test_a_full_disk(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be kept is not, without an error, and leaves no half of it."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    store.put(KEY, *zipped(tmp_path))
    assert store.find(KEY) is None
    assert os.listdir(store.folder) == []


def test_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no links, entries are copied."""

    def link(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    store = Store(tmp_path / "store", shared=False)
    store.put(KEY, *zipped(tmp_path))
    assert taken(store, KEY, tmp_path / "target") == b"content"


@pytest.mark.parametrize("torn", [False, True], ids=["between", "torn"])
@pytest.mark.parametrize("earlier", [None, b"earlier content"], ids=["new", "again"])
def test_a_crash_at_every_step_of_put(
    store: Store, tmp_path: Path, earlier: bytes | None, torn: bool
) -> None:
    """A process that dies while it puts a ZIP leaves a whole one or none under that key.

    What others find in the folder meanwhile is whole as well, whether they check it or not.
    """
    path, description = zipped(tmp_path)
    for crashes in each(store.folder, torn=torn):
        shutil.rmtree(store.folder, ignore_errors=True)
        if earlier:
            store.put(KEY, *zipped(tmp_path, earlier))
        with contextlib.suppress(Crash), crashes:
            store.put(KEY, path, description)
        for entry in store.folder.glob(f"{KEY}.zip"):
            assert entry.read_bytes() in {earlier, b"content"}
        assert taken(store, KEY, tmp_path / "target") in {None, earlier, b"content"}
        store.put(KEY, path, description)
        assert taken(store, KEY, tmp_path / "target") == b"content"


@pytest.mark.parametrize("torn", [False, True], ids=["between", "torn"])
def test_a_crash_at_every_step_of_take(store: Store, tmp_path: Path, torn: bool) -> None:
    """A process that dies while it takes a ZIP leaves the entry for the next one."""
    for crashes in each(tmp_path / "dist", torn=torn):
        shutil.rmtree(tmp_path / "dist", ignore_errors=True)
        (tmp_path / "dist").mkdir()
        (tmp_path / "dist/target").write_bytes(b"half")
        store.put(KEY, *zipped(tmp_path))
        with contextlib.suppress(Crash), crashes:
            store.take(KEY, tmp_path / "dist/target")
            (tmp_path / "dist/target").replace(tmp_path / "dist/published")
            (tmp_path / "dist/published").unlink()
        assert taken(store, KEY, tmp_path / "again") == b"content"
