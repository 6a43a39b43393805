"""Every staged file has the one mtime and mode."""

from pathlib import Path

from buildlib import contract
from buildlib.tree import metadata
from tests.unit.conftest import write


def test_mtime() -> None:
    """The one mtime is noon and a bit of 2012-12-12, UTC."""
    from datetime import UTC, datetime  # beside its only use

    moment = datetime(2012, 12, 12, 12, 12, tzinfo=UTC)
    assert moment.timestamp() == contract.MTIME


def test_touch_leaves_canonical_files_alone(tmp_path: Path) -> None:
    """A file that is canonical is not touched again, so its ctime stays and it is not rehashed."""
    write(tmp_path, {"a/b": ""})
    metadata.touch(tmp_path, ["a/b"])
    before = (tmp_path / "a/b").stat().st_ctime_ns
    metadata.touch(tmp_path, ["a/b"])
    assert (tmp_path / "a/b").stat().st_ctime_ns == before
