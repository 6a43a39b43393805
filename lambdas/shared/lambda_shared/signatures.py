"""HMAC-SHA256 signatures of bodies (webhooks) and of requests (timestamp and path).

Digests are compared in constant time. Several secrets may be valid at once, so that one can be
rotated without an outage.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

CLOCK_SKEW = 30
"""Seconds that a sender's clock may be ahead of ours."""

_PREFIX = "sha256="
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SignatureError(Exception):
    """A signature is missing, malformed, too old or wrong."""


def sign(secret: bytes, message: bytes) -> str:
    """Return the HMAC-SHA256 of `message` in lower-case hex."""
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def request_message(timestamp: str, path: str) -> bytes:
    r"""Return what is signed for a request: the timestamp, a newline, the path with its query."""
    return f"{timestamp}\n{path}".encode(errors="replace")


def verify_body(secrets: Sequence[bytes], body: bytes, header: str | None) -> None:
    """Check the header of a signed body, `sha256=<hex>`, as GitHub and others send it.

    Raises SignatureError.
    """
    if not header:
        msg = "the signature is missing"
        raise SignatureError(msg)
    if not header.startswith(_PREFIX):
        msg = f"the signature must begin with {_PREFIX}"
        raise SignatureError(msg)
    _check(secrets, body, header.removeprefix(_PREFIX))


def verify_request(  # noqa: PLR0913 - by keyword only, and all of them are the signature
    secrets: Sequence[bytes],
    *,
    path: str,
    timestamp: str | None,
    signature: str | None,
    now: float,
    max_age: float,
) -> None:
    """Check a signed request: hex HMAC of `request_message`, not older than `max_age` seconds.

    Within that age the same request can be sent again: sign only what is safe to repeat.
    Raises SignatureError.
    """
    if not timestamp or not signature:
        msg = "the timestamp or the signature is missing"
        raise SignatureError(msg)
    if not _TIMESTAMP.fullmatch(timestamp):
        msg = "the timestamp is not in seconds since 1970"
        raise SignatureError(msg)
    if not -CLOCK_SKEW <= now - int(timestamp) <= max_age:
        msg = "the timestamp is too old or in the future"
        raise SignatureError(msg)
    _check(secrets, request_message(timestamp, path), signature)


def _check(secrets: Sequence[bytes], message: bytes, signature: str) -> None:
    given = signature.encode(errors="replace")
    # Every secret is tried, so that the time taken does not tell which one matched.
    matches = [hmac.compare_digest(sign(secret, message).encode(), given) for secret in secrets]
    if not any(matches):
        msg = "the signature does not match"
        raise SignatureError(msg)
