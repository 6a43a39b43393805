"""An earlier build to compare with."""

import json
from pathlib import Path
from typing import Any

import pytest

from buildlib.artifacts import earlier, hashes
from buildlib.artifacts.earlier import Earlier
from buildlib.errors import BuildError

A, B = "a" * 64, "b" * 64
INDEX = {
    "api": {"sha256": A, "size": 10, "unzipped_size": 20},
    "old": {"sha256": A, "size": 1, "unzipped_size": 2, "stale": True},
    "none": {"status": "missing"},
}


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_an_index(tmp_path: Path) -> None:
    """An index gives hashes and sizes of its ZIPs; one that is stale, or missing, is none."""
    path = write(tmp_path / "lambdas.json", INDEX)
    assert earlier.read(path) == {"api": Earlier(A, 10, 20)}


def test_layers_beside_it(tmp_path: Path) -> None:
    """The index of layers beside that of functions belongs to it."""
    path = write(tmp_path / "lambdas.json", INDEX)
    write(tmp_path / "layers.json", {"deps": {"sha256": B, "size": 1, "unzipped_size": 2}})
    assert earlier.read(path).keys() == {"api", "deps"}


def test_a_record(tmp_path: Path) -> None:
    """A `lambdas.hashes.json` gives hashes without sizes."""
    path = tmp_path / "lambdas.hashes.json"
    path.write_bytes(hashes.text({"api": hashes.entry("k" * 64, A)}))
    write(tmp_path / "layers.json", {"deps": {"sha256": B, "size": 1, "unzipped_size": 2}})
    assert earlier.read(path) == {"api": Earlier(A, None, None)}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: no such file or directory"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "is not an index of ZIPs"),
        ('{"api": 1}', "is not an index of ZIPs"),
        ('{"api": {}}', "is not an index of ZIPs"),
        ('{"api": {"sha256": "short"}}', "is not an index of ZIPs"),
        (f'{{"api": {{"sha256": "{A}", "size": "1"}}}}', "is not an index of ZIPs"),
        (f'{{"api": {{"sha256": "{A}", "size": true}}}}', "is not an index of ZIPs"),
    ],
    ids=["no file", "no JSON", "deep", "a list", "a number", "empty", "no hash", "text", "bool"],
)
def test_another_file(tmp_path: Path, content: str | None, problem: str) -> None:
    """A file that cannot be read, or is something else, is an error that says what is needed."""
    path = tmp_path / "lambdas.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BuildError) as caught:
        earlier.read(path)
    assert str(caught.value).startswith(f"{path}: {problem}. A comparison needs ")
    assert caught.value.kind == "earlier-index"


def test_compare() -> None:
    """Each variant is new, changed, same or removed; one without a present ZIP is none of them."""
    before = {name: Earlier(A) for name in ("same", "changed", "gone", "failed", "stale")}
    entries: dict[str, dict[str, Any]] = {
        "same": {"sha256": A},
        "changed": {"sha256": B},
        "new": {"sha256": A},
        "failed": {"status": "missing"},
        "stale": {"sha256": B, "stale": True},
    }
    assert earlier.compare(before, entries) == {
        "gone": "removed", "same": "same", "changed": "changed", "new": "new",
    }  # fmt: skip
    assert earlier.compare(before, {}) == {}
