"""A record is believed as it was written, and otherwise counts as missing."""

import json
from pathlib import Path

import pytest

from buildlib.files import names, records

VALUE = {"key": "a" * 64, "rows": [["a/b.py", 1]]}
SHAPE = records.fields(
    key=records.sha256, rows=records.list_of(records.row(names.is_below, records.number))
)


def test_a_record_comes_back(tmp_path: Path) -> None:
    """A record is valid JSON, and gives the value that was written."""
    path = tmp_path / "folder/record.json"
    records.write(path, VALUE)
    assert records.read(path, SHAPE) == VALUE
    assert json.loads(path.read_bytes())["record"] == VALUE


def test_each_changed_byte_is_found(tmp_path: Path) -> None:
    """A record with any byte changed or lost, or with more of them, counts as missing."""
    path = tmp_path / "record.json"
    records.write(path, VALUE)
    content = path.read_bytes()
    for at in range(len(content)):
        for changed in (content[:at], content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]):
            path.write_bytes(changed)
            assert records.read(path, SHAPE) is None
    path.write_bytes(content + b"\n")
    assert records.read(path, SHAPE) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        VALUE | {"more": 1},
        {"key": VALUE["key"]},
        VALUE | {"key": "A" * 64},
        VALUE | {"key": "a" * 63},
        VALUE | {"rows": {}},
        VALUE | {"rows": [["a/b.py"]]},
        VALUE | {"rows": [["a/b.py", 1, 1]]},
        VALUE | {"rows": [["a/b.py", -1]]},
        VALUE | {"rows": [["a/b.py", True]]},
        VALUE | {"rows": [["a/b.py", 1 << 63]]},
        VALUE | {"rows": [["a/b.py", 1.0]]},
        VALUE | {"rows": [["../b.py", 1]]},
        VALUE | {"rows": ["a/"]},
    ],
)
def test_another_shape(tmp_path: Path, value: object) -> None:
    """A record of another shape counts as missing, also with the right sha256."""
    path = tmp_path / "record.json"
    records.write(path, value)
    assert records.read(path, SHAPE) is None


def test_what_is_no_record(tmp_path: Path) -> None:
    """A missing file, a folder, deep JSON and text are no record; none of them is an error."""
    path = tmp_path / "record.json"
    assert records.read(path, records.sequence) is None
    assert records.read(path / "below", records.sequence) is None
    assert records.read(tmp_path, records.sequence) is None
    for text in (b"", b"{}", b"\xff", b"[" * 100_000, b"[1"):
        path.write_bytes(records.sealed(text))
        assert records.read(path, records.sequence) is None
        path.write_bytes(text)
        assert records.read(path, records.sequence) is None


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("a", True),
        ("a/b.c", True),
        ("..a/b..", True),
        ("a b/\u00fc", True),
        ("", False),
        ("/a", False),
        ("a/", False),
        ("a//b", False),
        (".", False),
        ("a/./b", False),
        ("..", False),
        ("a/../b", False),
        ("a/..", False),
        ("a\\b", False),
        ("C:a", False),
        ("a\0b", False),
        (1, False),
        (None, False),
    ],
)
def test_paths_below(path: object, below: bool) -> None:
    """Only a plain relative path may be joined to a folder."""
    assert names.is_below(path) == below
