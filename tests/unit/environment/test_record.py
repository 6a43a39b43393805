"""RECORD names the files of a distribution, and only those that are there."""

from pathlib import Path

from buildlib.environment import canonical, record
from buildlib.model import File
from tests.unit.environment.conftest import WANTED, rows


def test_shortened_record(tree: Path) -> None:
    """A RECORD without some files keeps the rows of the others as they are."""
    canonical.canonicalise(tree)
    content = (tree / "alpha-1.0.dist-info/RECORD").read_bytes()
    kept = {name for name in WANTED if "data" not in name}
    expected = [line for line in content.splitlines(keepends=True) if b"data" not in line]
    assert record.shortened_record(content, kept) == b"".join(expected)


def test_unusual_names() -> None:
    """A name with a comma or a quote survives RECORD, as CSV (PEP 376)."""
    owned = [File('a,"b".py', "00" * 32, 1)]
    content = record.write_record("x.dist-info/RECORD", owned)
    assert [name for name, _, _ in rows(content)] == ['a,"b".py', "x.dist-info/RECORD"]
    assert record.shortened_record(content, {'a,"b".py'}) == content.partition(b"x.dist")[0]
