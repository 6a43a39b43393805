"""Signatures, with keys in the forms that openssl writes."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from buildlib.errors import RemoteError
from buildlib.manifest.keys import PUBLIC_KEY
from buildlib.remote import signing
from buildlib.remote.entries import Claim
from buildlib.remote.signing import Signer
from tests.remote.forging import make_keys

CLAIM = Claim("a" * 64, "c" * 64, 1234, 5678)


def test_a_signature() -> None:
    """A signed claim is genuine for its signer's key, and for no other."""
    keys, others = make_keys(), make_keys()
    signer = Signer(keys.private)
    signed = signer.sign(CLAIM)
    assert (signer.public, signer.id) == (keys.public, keys.id)
    assert signed.signer == keys.id
    assert signing.is_signed(signed, keys.public)
    assert not signing.is_signed(signed, others.public)
    assert not signing.is_signed(CLAIM, keys.public)


@pytest.mark.parametrize("change", [{"key": "b" * 64}, {"sha256": "b" * 64}, {"size": 1}])
def test_what_it_covers(change: dict[str, str]) -> None:
    """A claim with another key, sha256 or size has no signature any more."""
    keys = make_keys()
    signed = Signer(keys.private).sign(CLAIM)
    assert not signing.is_signed(signed._replace(**change), keys.public)  # type: ignore[arg-type]


@pytest.mark.parametrize("signature", ["", "x", "\u00e9", "AAAA", "A" * 88])
def test_no_signature(signature: str) -> None:
    """Anything else than a signature is none, and no error."""
    keys = make_keys()
    signed = Signer(keys.private).sign(CLAIM)._replace(signature=signature)
    assert not signing.is_signed(signed, keys.public)


def test_forms_of_a_private_key(tmp_path: Path) -> None:
    """A key is the path of a file, its text, or base64 of either."""
    keys = make_keys()
    file = tmp_path / "signing.pem"
    file.write_text(keys.private)
    der = base64.b64decode("".join(keys.private.splitlines()[1:-1]))
    forms = [
        str(file),
        keys.private,
        base64.b64encode(keys.private.encode()).decode(),
        base64.b64encode(der).decode(),
    ]
    assert {Signer(form).public for form in forms} == {keys.public}


@pytest.mark.parametrize("text", ["no-such-file", "-----BEGIN x", "AAAA", "x" * 9000, "\0"])
def test_no_private_key(text: str) -> None:
    """A wrong value is said, without the value."""
    with pytest.raises(RemoteError, match="not an Ed25519 private key") as caught:
        Signer(text)
    assert text not in str(caught.value)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_the_commands_of_the_documents(tmp_path: Path) -> None:
    """The commands in the documents make keys that are accepted."""

    def run(command: str) -> bytes:
        done = subprocess.run(
            ["openssl", *command.split()], cwd=tmp_path, capture_output=True, check=True
        )
        return done.stdout

    run("genpkey -algorithm ed25519 -out signing.pem")
    public = base64.b64encode(run("pkey -in signing.pem -pubout -outform DER")).decode()
    assert Signer(str(tmp_path / "signing.pem")).public == public
    assert re.fullmatch(PUBLIC_KEY, public)
    run("genrsa -out rsa.pem 2048")
    with pytest.raises(RemoteError):
        Signer(str(tmp_path / "rsa.pem"))
