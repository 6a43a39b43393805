"""The report of a rebuild: an in-toto statement (in-toto.io/Statement/v1), signed or not."""

import json
import os
import platform
from pathlib import Path
from typing import Any

from buildlib import __version__, contract
from buildlib.commands.publish.rebuild import Rebuilt
from buildlib.errors import RebuildError
from buildlib.files import atomic
from buildlib.remote import builder
from buildlib.remote.settings import SIGNING_KEY


def statement(done: Rebuilt) -> dict[str, Any]:
    """Return the statement about a rebuild: its subjects are the ZIPs that are equal."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": one.id, "digest": {"sha256": one.published}}
            for one in done.variants
            if one.is_equal
        ],
        "predicateType": "urn:doit-lambda-zip:rebuild:1",
        "predicate": {
            "list": {"name": done.name, "digest": {"sha256": done.sha256}},
            "source": {"digest": {"gitCommit": done.commit}},
            "builder": {
                "id": builder.name(os.environ),
                "version": {"doit-lambda-zip": __version__, "python": platform.python_version()},
                "platform": f"{platform.system()} {platform.machine()}",
                "byteContract": contract.CONTRACT,
                "installerRules": contract.INSTALLER,
                "encoder": contract.encoder(),
            },
            "equal": done.equal,
            "of": len(done.variants),
            "results": [
                {
                    "id": one.id,
                    "gitCommit": one.commit,
                    "published": one.published,
                    "rebuilt": one.rebuilt or None,
                    "equal": one.is_equal,
                }
                for one in done.variants
            ],
        },
    }


def write(path: Path, done: Rebuilt, key: str | None) -> None:
    """Write the report; with the text of a private key, as a signed envelope (DSSE).

    Raises:
        RemoteError: the text is no private key.

    """
    value = statement(done)
    if key is not None:
        from buildlib.remote import signing  # with a library of cryptography

        payload = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        value = signing.Signer(key).envelope(payload, signing.IN_TOTO)
    atomic.write(path, (json.dumps(value, indent=2) + "\n").encode())


def signing_key() -> str:
    """Return the text of the key that signs.

    Raises:
        RebuildError: no key is set, or the library of cryptography is not installed.

    """
    from importlib.util import find_spec

    key = os.environ.get("LAMBDA_ZIP_SIGNING_KEY", "")
    if not key:
        msg = (
            f"'--sign' needs a private key in {SIGNING_KEY}; docs/how-to/share-builds.md makes one"
        )
        raise RebuildError(msg)
    if find_spec("cryptography") is None:
        extra = "pip install 'doit-lambda-zip[remote]'"
        msg = f"'--sign' needs the package cryptography; install it: {extra}"
        raise RebuildError(msg)
    return key
