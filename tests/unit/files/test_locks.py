"""One process or thread at a time holds a lock."""

from pathlib import Path

from buildlib.files import locks


def test_locked(tmp_path: Path) -> None:
    """A lock is held inside, and free again afterwards."""
    path = tmp_path / "locks/x.lock"
    for _ in range(2):
        with locks.locked(path):
            assert path.exists()
