"""lzo_archive: what devices send is unpacked and acknowledged, anything else refused.

The real library is only in the ZIP (tests/docker builds it and calls the handler there); here a
stand-in has its interface.
"""

import base64
import hashlib
import importlib.util
import json
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "examples/docker/lambdas/lzo_archive/app.py"
LINES = b"boot\nlink up\nlink down\n"


class LzoError(Exception):
    """`lzo.error`."""


def compress(content: bytes) -> bytes:
    """Return a block as `lzo.compress` does, with another compression inside."""
    return b"\xf0" + len(content).to_bytes(4, "big") + zlib.compress(content)


def decompress(block: bytes) -> bytes:
    """Return the content of a block, as `lzo.decompress`."""
    try:
        return zlib.decompress(block[5:])
    except zlib.error as error:
        message = str(error)
        raise LzoError(message) from None


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the function's module with a stand-in for lzo."""
    lzo = ModuleType("lzo")
    lzo.__dict__.update(decompress=decompress, error=LzoError)
    monkeypatch.setitem(sys.modules, "lzo", lzo)
    spec = importlib.util.spec_from_file_location("lzo_archive_app", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def delivery(block: bytes) -> dict[str, Any]:
    """Return the event of a function URL for a binary body."""
    return {
        "version": "2.0",
        "rawPath": "/",
        "headers": {"content-type": "application/octet-stream"},
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        "body": base64.b64encode(block).decode(),
        "isBase64Encoded": True,
    }


def test_delivery(app: ModuleType) -> None:
    """A block is acknowledged with its lines, bytes and sha256."""
    response = app.handler(delivery(compress(LINES)), None)
    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {
        "lines": 3,
        "bytes": len(LINES),
        "sha256": hashlib.sha256(LINES).hexdigest(),
    }


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"", "not an LZO block"),
        (b"boot\nlink up\n", "not an LZO block"),
        (compress(LINES)[:-4], "damaged"),
        (b"\xf0\xff\xff\xff\xff" + zlib.compress(b"x"), "more than"),
    ],
)
def test_refused(app: ModuleType, block: bytes, reason: str) -> None:
    """What is no block, too large or damaged gets a 400 that says so."""
    response = app.handler(delivery(block), None)
    assert response["statusCode"] == 400
    assert reason in json.loads(response["body"])["error"]


def test_not_base64(app: ModuleType) -> None:
    """A body that should be base64 and is not is refused as well."""
    event = delivery(b"") | {"body": "%%%"}
    assert app.handler(event, None)["statusCode"] == 400
