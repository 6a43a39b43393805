"""Takes in log lines that small devices send compressed with LZO, and says what was in them.

A function URL receives a POST whose body is one block of python-lzo: a byte 0xf0, the length of
the content as four bytes, big-endian, and the compressed content. The answer counts lines and
bytes and gives the sha256 of the content, by which the device knows that it may forget it.

There is no wheel of python-lzo for Linux, and it needs the library lzo: `install: docker` compiles
it in the image of the runtime and carries the library along.
"""

import base64
import binascii
import hashlib
import json
from typing import Any

import lzo

MARK = 0xF0
HEADER = 5
MAX_CONTENT = 16 << 20
"""The length is in the header, so a few bytes could ask for four gigabytes of memory."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one delivery of a function URL (payload format 2.0)."""
    try:
        content = unpack(_body(event))
    except ValueError as error:
        return _response(400, {"error": str(error)})
    return _response(
        200,
        {
            "lines": len(content.splitlines()),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )


def unpack(block: bytes) -> bytes:
    """Return the content of a block.

    Raises:
        ValueError: it is not a block, too large, or damaged.

    """
    if len(block) < HEADER or block[0] != MARK:
        msg = "not an LZO block"
        raise ValueError(msg)
    size = int.from_bytes(block[1:HEADER], "big")
    if size > MAX_CONTENT:
        msg = f"{size} bytes of content, more than {MAX_CONTENT}"
        raise ValueError(msg)
    try:
        return bytes(lzo.decompress(block))
    except lzo.error as error:
        msg = f"damaged: {error}"
        raise ValueError(msg) from None


def _body(event: dict[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        msg = f"not base64: {error}"
        raise ValueError(msg) from None


def _response(status: int, value: dict[str, object]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(value),
    }
