"""Keys, and entries as an attacker or another builder would write them."""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.remote.servers import Shared


@dataclass
class Keys:
    """A key pair, in the forms in which users have them."""

    private: str  # PEM
    public: str  # base64 of the DER
    id: str

    @property
    def environment(self) -> dict[str, str]:
        return {"LAMBDA_ZIP_SIGNING_KEY": self.private}


def make_keys() -> Keys:
    """Return a new key pair."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    identity = hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]
    return Keys(private.decode(), base64.b64encode(der).decode(), identity)


def evil_zip(code: str = "def handler(event, context):\n    return 'evil'\n") -> bytes:
    """Return a ZIP that Lambda would run."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("app.py", code)
    return output.getvalue()


def forge(shared: Shared, key: str, content: bytes, keys: Keys | None = None) -> str:
    """Write a ZIP and entries that say that the inputs with this key give it; return its sha256.

    With keys, the entry is signed with them, too.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    entry: dict[str, Any] = {
        "format": 1,
        "key": key,
        "sha256": sha256,
        "size": len(content),
        "unzipped_size": 1,
        "built_by": "a friendly builder",
        "signer": "",
        "signature": "",
    }
    shared.objects.write(f"cas/{sha256}", content)
    shared.objects.write(f"keys/{key}.json", json.dumps(entry).encode())
    if keys is not None:
        private = serialization.load_pem_private_key(keys.private.encode(), None)
        assert isinstance(private, Ed25519PrivateKey)
        payload = f"doit-lambda-zip cache entry\n{key}\n{sha256}\n{len(content)}\n"
        signature = base64.b64encode(private.sign(payload.encode())).decode()
        entry |= {"signer": keys.id, "signature": signature}
        shared.objects.write(f"keys/{key}.{keys.id}.json", json.dumps(entry).encode())
    return sha256


def key_of(root: Path, name: str) -> str:
    """Return the key of a variant that was built here."""
    stamp = json.loads((root / f"build/zip/{name}.json").read_bytes())
    return str(stamp["record"]["key"])


def manifest(*trusted: Keys, signatures: int = 1) -> str:
    """Return a manifest of two functions that trusts builders."""
    names = "".join(f"    builder-{n}: {one.public}\n" for n, one in enumerate(trusted))
    cache = f"cache:\n  trust: signed\n  signatures: {signatures}\n  keys:\n{names}"
    functions = "  api: {handler: app.handler}\n  jobs: {handler: app.handler}\n"
    return f"version: 1\n{cache if trusted else ''}lambdas:\n{functions}"
