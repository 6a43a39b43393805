"""Entries: the result of each key, as JSON; and the layout of the remote.

    cas/<sha256>                   a blob, such as a ZIP
    keys/<key>.json                the first claim about a key
    keys/<key>.<signer>.json       a signed claim, one for each signer
    disputes/<key>/<sha256>        the claim of a builder that came to other bytes

Everything is created, and nothing is ever replaced.
"""

import json
from typing import Any, NamedTuple

from buildlib.files import records
from buildlib.model import Written
from buildlib.runtimes import UNZIPPED_LIMIT

CLAIMS, DISPUTES = "keys", "disputes"

# Bytes. An entry has a few hundred; a ZIP has no more than its contents, and some headers.
LARGEST_ENTRY = 16 << 10
_LARGEST_ZIP = UNZIPPED_LIMIT + (64 << 20)

_FORMAT = 1


class Claim(NamedTuple):
    """Somebody's word that the inputs with this key give this ZIP.

    `built_by` names the builder for people, and proves nothing. `signature` is in base64, and empty
    in a claim that nobody signed; `signer` is the id of the signing key.
    """

    key: str
    sha256: str
    size: int
    unzipped_size: int
    built_by: str = ""
    signer: str = ""
    signature: str = ""

    @property
    def written(self) -> Written:
        """The ZIP that is claimed."""
        return Written(self.sha256, self.size, self.unzipped_size)

    @property
    def signed(self) -> bytes:
        """The bytes that a signature covers: the key, the sha256 and the size of the ZIP."""
        return f"doit-lambda-zip cache entry\n{self.key}\n{self.sha256}\n{self.size}\n".encode()


_SHAPES: dict[str, records.Shape] = {
    "format": lambda value: type(value) is int and value == _FORMAT,
    "key": records.sha256,
    "sha256": records.sha256,
    "size": records.number,
    "unzipped_size": records.number,
    "built_by": records.text,
    "signer": records.text,
    "signature": records.text,
}


def blob(sha256: str) -> str:
    """Return the place of a blob."""
    return f"cas/{sha256}"


def claim(key: str, signer: str = "") -> str:
    """Return the place of the first claim about a key, or of the one that a signer signed."""
    return f"{CLAIMS}/{key}.{signer}.json" if signer else f"{CLAIMS}/{key}.json"


def dispute(key: str, sha256: str) -> str:
    """Return the place of a claim that contradicts the first one."""
    return f"{DISPUTES}/{key}/{sha256}"


def write(one: Claim) -> bytes:
    """Return a claim as JSON."""
    return (json.dumps({"format": _FORMAT, **one._asdict()}, sort_keys=True) + "\n").encode()


def read(content: bytes | None, key: str) -> Claim | None:
    """Return the claim in an entry about a key; None if it is damaged or about another key."""
    if content is None or len(content) > LARGEST_ENTRY:
        return None
    try:
        value: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("key") != key:
        return None
    if not all(name in value and shape(value[name]) for name, shape in _SHAPES.items()):
        return None
    if not 0 < value["size"] <= _LARGEST_ZIP:
        return None
    return Claim(**{name: value[name] for name in Claim._fields})
