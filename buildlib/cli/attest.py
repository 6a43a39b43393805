"""The command that signs the provenance of ZIPs, and the keys that verify it."""

import os
import sys
from collections.abc import Mapping, Sequence

import click

from buildlib import console, errors
from buildlib.cli import common
from buildlib.errors import BuildError, RemoteError
from buildlib.project.project import Project


@click.command()
@common.names_argument
def attest(names: Sequence[str]) -> int:
    """Sign a statement of provenance for each ZIP in dist/, in `dist/<id>.intoto.dsse.json`.

    The private key is in LAMBDA_ZIP_SIGNING_KEY.
    """
    from buildlib.commands import attest as command
    from buildlib.remote import signing

    repository = common.project()
    variants = common.chosen(repository, names)
    key = os.environ.get("LAMBDA_ZIP_SIGNING_KEY", "")
    _check_installed()
    if not key:
        msg = (
            "LAMBDA_ZIP_SIGNING_KEY is not set; set it to an Ed25519 private key: the path of a "
            "PEM file, or its content. 'openssl genpkey -algorithm ed25519 -out signing.pem' "
            "makes one"
        )
        raise RemoteError(msg, "signing-key")
    signer = signing.Signer(key)
    common.write(command.attest(repository, variant, signer) for variant in variants)
    return 0


def verify(repository: Project, names: Sequence[str], keys: Sequence[str]) -> int:
    """Verify the attestation of each ZIP; return the exit code.

    Raises:
        RemoteError: no key is trusted, or one is no key.

    """
    from buildlib.commands import attest as command

    trusted = _trusted(repository, keys)
    failed = 0
    for variant in common.chosen(repository, names):
        try:
            common.write([command.check(repository, variant, trusted)])
        except (BuildError, OSError) as error:
            console.write(sys.stderr, f"error: {errors.describe(error)}\n")
            failed += 1
    return int(failed > 0)


def _trusted(repository: Project, keys: Sequence[str]) -> Mapping[str, str]:
    """Return the names of the trusted keys, by these."""
    _check_installed()
    from buildlib.remote import signing

    if keys:
        return {signing.public_key(one): f"the key {one}" for one in keys}
    cache = repository.manifest.cache
    if cache is None or not cache.keys:
        msg = (
            "no key is trusted; name public keys with '--key', or in 'cache: keys' of lambdas.yaml"
        )
        raise RemoteError(msg, "signing-key")
    return {public: f"'{name}'" for name, public in cache.keys}


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        msg = "signatures need cryptography; install it: pip install 'doit-lambda-zip[remote]'"
        raise RemoteError(msg, "signing-key")
