"""Ed25519 signatures (RFC 8032) of entries: the keys in the forms that openssl writes.

openssl genpkey -algorithm ed25519 -out signing.pem
openssl pkey -in signing.pem -pubout -outform DER | base64
"""

import base64
import binascii
import contextlib
import hashlib
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildlib.errors import RemoteError
from buildlib.remote.entries import Claim
from buildlib.remote.settings import SIGNING_KEY, Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# The media type of a statement (in-toto.io/Statement/v1) in an envelope.
IN_TOTO = "application/vnd.in-toto+json"

# The DER of a public key (RFC 8410, 4) is this head, and 32 bytes.
_HEAD = bytes.fromhex("302a300506032b6570032100")


def identity(public: str) -> str:
    """Return the id of a public key, given as base64 of its DER: 16 hexadecimal digits."""
    return hashlib.sha256(_raw(public)).hexdigest()[:16]


def is_signed(claim: Claim, public: str) -> bool:
    """Tell whether a claim has a signature of the key `public`, given as base64 of its DER."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        signature = base64.b64decode(claim.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(_raw(public)).verify(signature, claim.signed)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def opened(envelope: object, kind: str, publics: Iterable[str]) -> tuple[str, bytes] | None:
    """Return the key and the payload of an envelope (DSSE) that one of some keys has signed.

    `publics` are keys as base64 of their DER, and `kind` is the media type of the payload. None: no
    signature is one of theirs, or the envelope has another shape.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        if envelope["payloadType"] != kind:  # type: ignore[index] # of any shape
            return None
        payload = base64.b64decode(envelope["payload"], validate=True)  # type: ignore[index]
        found = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return None
    signed = _authenticated(kind, payload)
    for public, signature in itertools.product(publics, found):
        with contextlib.suppress(InvalidSignature, ValueError):
            Ed25519PublicKey.from_public_bytes(_raw(public)).verify(signature, signed)
            return public, payload
    return None


def _authenticated(kind: str, payload: bytes) -> bytes:
    """Return the bytes that DSSE signs: the pre-authentication encoding of its protocol."""
    return f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload


# Shorter than a key in base64.
_KEY = 40


def public_key(text: str) -> str:
    """Return a public key as base64 of its DER: of that form, or of a PEM file at a path.

    Raises:
        RemoteError: it is no Ed25519 public key.

    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    content = _content(text)
    with contextlib.suppress(ValueError, TypeError, UnsupportedAlgorithm):
        if b"-----BEGIN" in content:
            key = serialization.load_pem_public_key(content)
            content = key.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        if content.startswith(_HEAD) and len(content) == len(_HEAD) + 32:
            return base64.b64encode(content).decode()
    # A private key in its place must not be printed.
    shown = f"'{text}'" if len(text) < _KEY and "-----" not in text else "the value"
    if not content and len(text) < _KEY:
        msg = f"{shown}: there is no such file; give the path of a PEM file, or base64 of a DER"
        raise RemoteError(msg, "signing-key")
    msg = (
        f"{shown}: not an Ed25519 public key; give the path of a PEM file, as 'openssl pkey -in "
        "signing.pem -pubout' writes it, or base64 of its DER"
    )
    raise RemoteError(msg, "signing-key")


def _raw(public: str) -> bytes:
    return base64.b64decode(public).removeprefix(_HEAD)


class Signer:
    """A private key that signs claims."""

    def __init__(self, text: str) -> None:
        """Read a key: the path of a PEM file, its text, or base64 of either form, PEM or DER.

        Raises:
            RemoteError: it is no Ed25519 private key; the message has nothing of it.

        """
        self._key = _private(text)
        raw = self._key.public_key().public_bytes_raw()
        self.public = base64.b64encode(_HEAD + raw).decode()
        self.id = identity(self.public)

    def sign(self, claim: Claim) -> Claim:
        """Return a claim with a signature."""
        signature = base64.b64encode(self._key.sign(claim.signed)).decode()
        return claim._replace(signer=self.id, signature=signature)

    def envelope(self, payload: bytes, kind: str) -> dict[str, Any]:
        """Return a signed payload of a media type, as DSSE has it (version 1.0.2, envelope.md)."""
        signature = self._key.sign(_authenticated(kind, payload))
        return {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"keyid": self.id, "sig": base64.b64encode(signature).decode()}],
        }


def of_settings(settings: Settings) -> Signer | None:
    """Return the signer of the environment.

    Raises:
        RemoteError: it is not a key, or the manifest does not trust it.

    """
    if not settings.signing_key:
        return None
    signer = Signer(settings.signing_key)
    if settings.keys and signer.public not in dict(settings.keys).values():
        msg = (
            f"{SIGNING_KEY}: nobody would trust this key. Its public key is {signer.public}; add "
            "it to 'cache: keys' in lambdas.yaml, or unset the variable"
        )
        raise RemoteError(msg, "remote")
    return signer


def _private(text: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    content = _content(text)
    load = serialization.load_der_private_key
    if b"-----BEGIN" in content:
        load = serialization.load_pem_private_key
    try:
        key = load(content, None)
    except Exception:  # noqa: BLE001 - of many classes, and their texts may hold parts of the key
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        problem = "not an Ed25519 private key without a passphrase"
        if not content:
            problem += ", and not the path of a file that can be read"
        msg = (
            f"{SIGNING_KEY}: {problem}; set the path of a PEM file or its content. "
            "'openssl genpkey -algorithm ed25519 -out signing.pem' makes one"
        )
        raise RemoteError(msg, "signing-key") from None
    return key


def _content(text: str) -> bytes:
    if "-----BEGIN" in text:
        return text.encode()
    try:
        return Path(text).expanduser().read_bytes()
    except (OSError, ValueError, RuntimeError):  # no file has this name
        pass
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
