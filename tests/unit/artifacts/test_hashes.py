"""The record of hashes: what it holds, what is left of a damaged one, and what it refuses."""

import json
from pathlib import Path

import pytest

from buildlib.artifacts import hashes
from buildlib.errors import RecordError
from buildlib.layout import Layout
from tests.unit.conftest import variant

ONE, OTHER = "1" * 64, "2" * 64


def test_the_text_is_sorted_json() -> None:
    """Whatever the order of the entries, the bytes are the same; an entry is a line."""
    api, jobs = hashes.entry(ONE, OTHER), hashes.entry(OTHER, ONE)
    text = hashes.text({"jobs": jobs, "api": api})
    assert text == hashes.text({"api": api, "jobs": jobs})
    assert json.loads(text) == {"api": api, "jobs": jobs}
    assert text.count(b"\n") == 4
    assert json.loads(hashes.text({})) == {}


def test_the_base64_is_terraforms() -> None:
    """`source_code_hash` is the base64 of the digest's bytes, as `filebase64sha256` gives it."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    expected = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert hashes.entry(ONE, empty)["source_code_hash"] == expected


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[]",
        "<<<<<<< HEAD",
        '{"api": 1}',
        '{"api": {"key": "1", "sha256": "xyz"}}',
        json.dumps({"api": {**hashes.entry(ONE, OTHER), "source_code_hash": "another"}}),
        json.dumps({"api": {**hashes.entry(ONE, OTHER), "size": 1}}),
        json.dumps({"api": {**hashes.entry(ONE, OTHER), "size": "1", "unzipped_size": 2}}),
        json.dumps({"api": {**hashes.entry(ONE, OTHER), "size": 0, "unzipped_size": 2}}),
    ],
)
def test_a_damaged_record_is_none(tmp_path: Path, damaged: str) -> None:
    """What is no entry, or contradicts itself, is as good as not recorded."""
    layout = Layout(tmp_path)
    assert hashes.read(layout) == {}
    layout.hashes.write_text(damaged)
    assert hashes.read(layout) == {}


def test_a_good_entry_is_read_beside_a_damaged_one(tmp_path: Path) -> None:
    """An invalid entry takes none of the others with it."""
    layout, api = Layout(tmp_path), hashes.entry(ONE, OTHER)
    layout.hashes.write_text(json.dumps({"api": api, "jobs": {"key": ONE}}))
    assert hashes.read(layout) == {"api": api}


def test_only_another_hash_for_the_same_key_is_refused() -> None:
    """A variant that is not recorded, or is with another key, may be anything."""
    record = {"api": hashes.entry(ONE, ONE)}
    hashes.check({}, variant(), ONE, OTHER)
    hashes.check(record, variant(), OTHER, OTHER)
    hashes.check(record, variant(), ONE, ONE)
    with pytest.raises(RecordError, match=r"'api' has sha256 1{64} for these inputs"):
        hashes.check(record, variant(), ONE, OTHER)
