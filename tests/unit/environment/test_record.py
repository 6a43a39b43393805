"""RECORD names the files of a distribution, and only those that are there."""

from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("path", "is_header"),
    [
        ("../../include/site/python3.13/alpha/api.h", True),  # pip in a venv
        ("../../include/python3.13/alpha/api.h", True),  # pip elsewhere
        ("include/alpha/api.h", True),  # uv with --target
        ("include/Al.pha/api.h", False),
        ("include/beta/api.h", False),  # a package that is called include
        ("alpha/include/alpha/api.h", False),
    ],
)
def test_headers_do_not_ship(tmp_path: Path, path: str, is_header: bool) -> None:
    """A C header at an installer's place is neither kept nor listed; other files named so are."""
    info = tmp_path / "alpha-1.0.dist-info"
    info.mkdir()
    name = path.removeprefix("../../")
    header = tmp_path / name
    header.parent.mkdir(parents=True)
    header.write_text("int x;\n")
    (info / "RECORD").write_text(f"{path},,\nalpha.py,,\n")
    owners, rows_by_path, _ = record.read_records(tmp_path)
    expected = ["alpha.py"] if is_header else [name, "alpha.py"]
    assert owners == {"alpha-1.0.dist-info": expected}
    assert list(rows_by_path) == expected
    assert header.exists() is not is_header
