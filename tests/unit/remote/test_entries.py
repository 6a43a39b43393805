"""An entry is read only if it has the right form, and is about the right key."""

import json
from typing import Any

import pytest

from buildlib.model import Written
from buildlib.remote import entries
from buildlib.remote.entries import Claim

KEY, OTHER, HASH = "a" * 64, "b" * 64, "c" * 64
CLAIM = Claim(KEY, HASH, 1234, 5678, "a builder", "0123456789abcdef", "c2ln")


def test_there_and_back() -> None:
    """An entry is read as it was written, also by a version that adds fields."""
    assert entries.read(entries.write(CLAIM), KEY) == CLAIM
    more = json.loads(entries.write(CLAIM)) | {"more": [1]}
    assert entries.read(json.dumps(more).encode(), KEY) == CLAIM
    assert CLAIM.written == Written(HASH, 1234, 5678)


def test_of_another_key() -> None:
    """An entry under another name than its key is refused."""
    assert entries.read(entries.write(CLAIM), OTHER) is None


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": True},
        {"sha256": HASH[:-1]},
        {"sha256": HASH.upper()},
        {"sha256": "../" + HASH[3:]},
        {"sha256": None},
        {"size": -1},
        {"size": 0},
        {"size": True},
        {"size": "1234"},
        {"size": 1 << 40},
        {"unzipped_size": 1.5},
        {"built_by": ["x"]},
        {"signer": 1},
        {"signature": None},
    ],
    ids=str,
)
def test_of_another_form(change: dict[str, Any]) -> None:
    """A value of another type or range is damage."""
    value = json.loads(entries.write(CLAIM)) | change
    assert entries.read(json.dumps(value).encode(), KEY) is None


@pytest.mark.parametrize("name", [*Claim._fields, "format"])
def test_a_missing_field(name: str) -> None:
    """An entry without one of its fields is damage."""
    value = json.loads(entries.write(CLAIM))
    del value[name]
    assert entries.read(json.dumps(value).encode(), KEY) is None


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\xff", b"[]", b"7", b"{", b"[" * 100_000, b" " * 20_000 + entries.write(CLAIM)],
    ids=lambda content: repr(content)[:12],
)
def test_no_json(content: bytes | None) -> None:
    """Anything else, such as a large file or deep nesting, is damage."""
    assert entries.read(content, KEY) is None


def test_places() -> None:
    """The places are those that the documentation names."""
    assert entries.blob(HASH) == f"cas/{HASH}"
    assert entries.claim(KEY) == f"keys/{KEY}.json"
    assert entries.claim(KEY, "01") == f"keys/{KEY}.01.json"
    assert entries.dispute(KEY, HASH) == f"disputes/{KEY}/{HASH}"


def test_signed_bytes() -> None:
    """A signature covers key, sha256 and size, each of which changes the bytes."""
    changes: list[dict[str, Any]] = [{"key": OTHER}, {"sha256": OTHER}, {"size": 1}]
    assert len({CLAIM.signed, *(CLAIM._replace(**change).signed for change in changes)}) == 4
