"""The comparison with an earlier index."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from buildlib.archive.contents import OWN_FILES, Part
from buildlib.commands.report import against
from buildlib.commands.report.against import Comparison, Growth
from buildlib.commands.report.facts import Content
from buildlib.errors import BuildError
from buildlib.model import Written
from tests.pages import build

NOW = Content([Part("numpy 2.2", 700, {}), Part(OWN_FILES, 50, {})], [], [])
HASHES = {"key": "k", "source_code_hash": "c"}


def digest(name: str) -> str:
    """Return a hash for a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def compared(root: Path, entries: dict[str, Any], *names: str) -> Comparison:
    """Return the comparison of variants that are built now with earlier entries."""
    (root / "lambdas.json").write_text(json.dumps(entries))
    found = against.read(root, "lambdas.json")
    assert found
    builds = [build(name, written=Written(digest(name), 100, 750)) for name in names]
    return against.compare(root, found, builds, dict.fromkeys(names, NOW))


def entry(name: str, unzipped: int = 750) -> dict[str, Any]:
    """Return an entry whose hash is that of the variant `name` in `compared`."""
    return {"sha256": digest(name), "size": 100, "unzipped_size": unzipped}


def test_changes(tmp_path: Path) -> None:
    """Each variant is changed, new, gone or the same, the largest change first."""
    found = compared(
        tmp_path,
        {"a": entry("a"), "b": entry("x", 740), "c": entry("y", 100), "gone": entry("z", 30)},
        *("a", "b", "c", "new"),
    )
    assert [(change.id, change.how, change.growth) for change in found.changes] == [
        ("c", "changed", 650),
        ("b", "changed", 10),
        ("new", "new", 750),
        ("gone", "gone", -30),
        ("a", "the same", 0),
    ]
    assert found.counts == [(2, "changed"), (1, "new"), (1, "gone"), (1, "the same")]


def test_recorded_hashes(tmp_path: Path) -> None:
    """lambdas.hashes.json tells what changed, and no sizes."""
    found = compared(tmp_path, {"a": HASHES | {"sha256": "f" * 64}}, "a")
    (change,) = found.changes
    assert (change.how, change.growth) == ("changed", None)


def test_unbuilt(tmp_path: Path) -> None:
    """A variant that was missing then is new; one that is missing now did not shrink."""
    missing = {"status": "missing", "lambda": "a"}
    assert compared(tmp_path, {"a": missing}, "a").counts == [(1, "new")]
    found = against.read(tmp_path, "lambdas.json")
    assert found
    (change,) = against.compare(tmp_path, found, [build("a", written=None)], {}).changes
    assert (change.how, change.growth) == ("not built", None)


def old_zip(root: Path) -> dict[str, Any]:
    """Write an earlier ZIP of `a` beside the index; return its entry."""
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        archive.writestr("numpy-2.1.dist-info/RECORD", "numpy/__init__.py,,\n")
        archive.writestr("numpy/__init__.py", "x" * 600)
        archive.writestr("Python_DateUtil-1.0.dist-info/RECORD", "dateutil.py,,\n")
        archive.writestr("dateutil.py", "x" * 20)
        archive.writestr("app.py", "x" * 40)
        archive.writestr("other.py", "x" * 4)
    digest = hashlib.sha256((root / "a.zip").read_bytes()).hexdigest()
    return {"sha256": digest, "size": 1, "unzipped_size": 700}


def test_growth_by_package(tmp_path: Path) -> None:
    """With the earlier ZIP beside its index, parts are compared whatever their versions."""
    found = compared(tmp_path, {"a": old_zip(tmp_path), "b": entry("x")}, "a", "b")
    # Files that no RECORD lists, such as these RECORDs, are the function's own.
    rest = len("numpy/__init__.py,,\ndateutil.py,,\n")
    assert found.parts == [
        Growth("numpy", 600, 700),
        Growth(OWN_FILES, 44 + rest, 50),
        Growth("python-dateutil", 20, 0),
    ]
    assert (found.listed, found.compared) == (1, 2)


def test_another_zip_is_not_compared(tmp_path: Path) -> None:
    """A ZIP beside the index that has not the hash of its entry, or is none, is not read."""
    old = old_zip(tmp_path)
    assert compared(tmp_path, {"a": old | {"sha256": "f" * 64}}, "a").parts == []
    (tmp_path / "a.zip").write_bytes(b"no ZIP")
    digest = hashlib.sha256(b"no ZIP").hexdigest()
    assert compared(tmp_path, {"a": old | {"sha256": digest}}, "a").parts == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1}', '{"../../x": {"sha256": "y"}}', "[" * 10_000, "\xff"]
)
def test_no_index(tmp_path: Path, text: str) -> None:
    """A file that is no index is refused by its name, with what to name instead."""
    (tmp_path / "old.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BuildError, match=r"old\.json: .*needs the dist/lambdas\.json") as error:
        against.read(tmp_path, "old.json")
    assert error.value.kind == "earlier-index"


def test_no_file(tmp_path: Path) -> None:
    """A missing file is refused; without a name there is nothing to compare with."""
    with pytest.raises(BuildError, match=r"old\.json: cannot be read: no such file"):
        against.read(tmp_path, "old.json")
    assert against.read(tmp_path, "") is None
