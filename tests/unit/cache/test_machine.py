"""The machine's cache: where it is, and how large it gets."""

import os
import time
from pathlib import Path

import pytest

from buildlib.cache import machine
from buildlib.cache.digests import Digests
from buildlib.cache.machine import MachineCache
from buildlib.errors import BuildError
from buildlib.layout import Layout
from buildlib.model import CompressedMember
from tests.unit.cache.test_store import KEY, OTHER, zipped


def cache(tmp_path: Path, *, limit: int = 0, **variables: str) -> MachineCache:
    """Return the cache of a checkout, in `shared` unless variables say otherwise."""
    found = MachineCache(Layout(tmp_path), variables or {"LAMBDA_ZIP_CACHE": "shared"})
    found.limit = limit or found.limit
    return found


def add_pack(at: MachineCache, name: str, size: int) -> Path:
    """Add a pack with `size` bytes of data; return the folder of its distribution."""
    digests = Digests(at.folder, at.folder / "digests.json")
    with at.packs.claimed(name, wait=True), at.packs.adding(name, digests) as pack:
        member = CompressedMember("", 0, size, size, 0, 0)
        pack.add({"0" * 64: member}, b"x" * size)
    return at.packs.folder / name


def use_long_ago(path: Path, seconds: int) -> None:
    """Set the last use of an entry back."""
    os.utime(path, (seconds, seconds))


@pytest.mark.parametrize(
    ("variables", "folder", "shared"),
    [
        ({"LAMBDA_ZIP_CACHE": "off"}, "build/cache", False),
        ({"CI": "true"}, "build/cache", False),
        ({"CI": "true", "LAMBDA_ZIP_CACHE": "x/y"}, "x/y", True),
        ({"LAMBDA_ZIP_CACHE": "/abs"}, "/abs", True),
        ({"LAMBDA_ZIP_CACHE": "build/mine"}, "build/mine", False),
    ],
)
def test_folder(tmp_path: Path, variables: dict[str, str], folder: str, shared: bool) -> None:
    """A variable names the folder; without it, a CI job keeps the cache in build/."""
    found = MachineCache(Layout(tmp_path), variables)
    assert found.folder == tmp_path / folder
    assert found.is_shared == shared
    assert found.store.shared == shared


def test_folder_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable the cache is in the user's cache folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    found = MachineCache(Layout(tmp_path / "checkout"), {})
    assert found.folder.is_relative_to(tmp_path)
    assert found.folder.name == "doit-lambda-zip"
    assert found.is_shared


@pytest.mark.parametrize("name", ["LAMBDA_ZIP_STORE", "LAMBDA_ZIP_STORE_LIMIT"])
def test_earlier_variables(tmp_path: Path, name: str) -> None:
    """A variable of an earlier version is not ignored: the error has its new name."""
    with pytest.raises(BuildError, match=rf"{name} is now {name.replace('STORE', 'CACHE')}"):
        MachineCache(Layout(tmp_path), {name: "5"})


def test_evicts_the_least_recently_used(tmp_path: Path) -> None:
    """Of ZIPs and packs alike, those go that were used least recently, and no more than needed."""
    at = cache(tmp_path, limit=1100)
    at.store.put(KEY, *zipped(tmp_path, b"k" * 500))
    use_long_ago(at.store.folder / f"{KEY}.json", 2000)
    old, new = add_pack(at, "1" * 64, 300), add_pack(at, "2" * 64, 300)
    use_long_ago(old, 1000)
    use_long_ago(new, 3000)
    at.store.put(OTHER, *zipped(tmp_path, b"o" * 300))
    use_long_ago(at.store.folder / f"{OTHER}.json", 4000)
    at.evict()
    assert not old.exists()
    assert new.exists()
    assert at.store.find(KEY) is None
    assert at.store.find(OTHER) is not None


def test_a_use_counts(tmp_path: Path) -> None:
    """An entry that was just taken stays, though it was added before the others."""
    at = cache(tmp_path, limit=900)
    used, unused = add_pack(at, "1" * 64, 400), add_pack(at, "2" * 64, 400)
    use_long_ago(used, 1000)
    use_long_ago(unused, 2000)
    assert at.packs.load(used.name, Digests(tmp_path, tmp_path / "d.json"))
    at.evict()
    assert used.exists()
    assert not unused.exists()


def test_evicts_after_enough_was_added(tmp_path: Path) -> None:
    """The entries are summed up after a part of the limit was added, and once a day."""
    at = cache(tmp_path, limit=1000)
    folder = add_pack(at, "1" * 64, 2000)
    at.added(10)  # never summed up before
    assert not folder.exists()
    folder = add_pack(at, "1" * 64, 2000)
    at.added(10)
    assert folder.exists()
    at.added(41)
    assert not folder.exists()
    folder = add_pack(at, "1" * 64, 2000)
    use_long_ago(at.folder / ".measured", int(time.time()) - 90_000)
    at.added(1)
    assert not folder.exists()


def test_leftovers_of_killed_processes(tmp_path: Path) -> None:
    """A temporary file goes when no process can be at it any more, and not before."""
    at = cache(tmp_path)
    paths = [at.packs.folder / KEY / ".x.tmp", at.store.folder / ".y.tmp"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    at.evict()
    assert all(path.exists() for path in paths)
    for path in paths:
        use_long_ago(path, int(time.time()) - machine._LEFT - 1)  # noqa: SLF001 - the limit
    at.evict()
    assert not any(path.exists() for path in paths)
