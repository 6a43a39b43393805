"""The command that signs the provenance of ZIPs, and the keys and identities that verify it."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from buildlib import console, errors
from buildlib.cli import common
from buildlib.errors import BuildError, RemoteError
from buildlib.layout import Layout
from buildlib.model import Variant
from buildlib.project.project import Project

if TYPE_CHECKING:
    from buildlib.commands.attest import Open


def _trust_config(function: common.F) -> common.F:
    """Add the option that names other services of Sigstore than the public ones."""
    add = click.option(
        "--trust-config",
        "config",
        type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
        metavar="FILE",
        help="With Sigstore: a trust configuration of other services than the public ones.",
    )
    return add(function)


@click.command()
@common.names_argument
@click.option(
    "--sigstore",
    "is_keyless",
    is_flag=True,
    help="Sign with the identity of the CI job instead of a key, in `dist/<id>.sigstore.json`.",
)
@_trust_config
def attest(names: Sequence[str], config: Path | None, *, is_keyless: bool) -> int:
    """Sign a statement of provenance for each ZIP in dist/, in `dist/<id>.intoto.dsse.json`.

    The private key is in LAMBDA_ZIP_SIGNING_KEY.
    """
    from buildlib.commands import attest as command
    from buildlib.remote import signing

    if config and not is_keyless:
        msg = "it needs '--sigstore'"
        raise click.BadParameter(msg, param_hint="--trust-config")
    repository = common.project()
    variants = common.chosen(repository, names)
    if is_keyless:
        return _by_identity(repository, variants, config)
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


def _by_identity(repository: Project, variants: Sequence[Variant], config: Path | None) -> int:
    """Sign with Sigstore; nothing is written unless all ZIPs are up to date and signed."""
    from buildlib.commands import attest as command
    from buildlib.files import atomic
    from buildlib.remote import keyless

    keyless.check_installed()
    layout = repository.layout
    statements = [(one, command.statement(repository, one)) for one in variants]
    token = os.environ.get("LAMBDA_ZIP_IDENTITY_TOKEN", "") or keyless.ambient()
    with keyless.signer(token, keyless.Services(config)) as (identity, sign):
        signed = [(one, sign(statement)) for one, statement in statements]
    for one, bundle in signed:
        path = layout.bundle(one.id)
        atomic.write(path, f"{bundle}\n".encode(), ours=True)
        common.write([f"{one.id}: {layout.relative(path)}, signed by {identity}"])
    return 0


class Trust(NamedTuple):
    """The options of the command that say whose attestations count."""

    keys: Sequence[str] = ()
    identity: str | None = None
    issuer: str | None = None
    config: Path | None = None
    offline: bool = False


def _attested(repository: Project, names: Sequence[str], trust: Trust) -> int:
    """Verify the attestation of each ZIP; return the exit code.

    Raises:
        RemoteError: no key is trusted, or one is no key.

    """
    from buildlib.commands import attest as command

    layout = repository.layout
    if trust.identity and trust.issuer:
        path_of, opened = layout.bundle, _opened_by(layout, trust, trust.identity, trust.issuer)
    else:
        trusted = _trusted(repository, trust.keys)
        path_of, opened = layout.attestation, command.by_key(trusted, layout.relative)
    failed = 0
    for variant in common.chosen(repository, names):
        try:
            line = command.check(repository, variant, path_of(variant.id), opened)
            common.write([line])
        except (BuildError, OSError) as error:
            console.write(sys.stderr, f"error: {errors.describe(error)}\n")
            failed += 1
    return int(failed > 0)


def _opened_by(layout: Layout, trust: Trust, name: str, issuer: str) -> "Open":
    """Return how to open bundles that an identity has signed."""
    from buildlib.remote import keyless

    keyless.check_installed()
    services = keyless.Services(trust.config, trust.offline)

    def opened(path: Path) -> tuple[str, bytes]:
        try:
            found = keyless.opened(path.read_bytes(), keyless.Identity(name, issuer), services)
        except RemoteError as error:
            msg = f"{layout.relative(path)}: {error}"
            raise RemoteError(msg, error.kind) from None
        return name, found

    return opened


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


@click.command()
@common.names_argument
@click.option(
    "--attestation",
    "is_attested",
    is_flag=True,
    help="Build nothing; verify the signature that 'lambdas attest' wrote.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="With --attestation: a public key to trust, as a path or as base64; repeat it for "
    "several.  [default: those in 'cache: keys']",
)
@click.option(
    "--identity",
    metavar="NAME",
    help="With --attestation: the identity that signed with Sigstore, such as the address of a "
    "workflow.",
)
@click.option("--issuer", metavar="URL", help="With --identity: the service that vouched for it.")
@click.option(
    "--offline",
    is_flag=True,
    help="With --identity: do not ask for new keys of Sigstore's services.",
)
@_trust_config
def verify(  # noqa: PLR0913 - click passes each option
    names: Sequence[str],
    keys: Sequence[str],
    identity: str | None,
    issuer: str | None,
    config: Path | None,
    *,
    is_attested: bool,
    offline: bool,
) -> int:
    """Rebuild each ZIP twice under different conditions, and compare with dist/.

    The two builds run in other folders, with another umask, locale, time zone and order of files,
    and without a cache.
    """
    _check_together(keys, identity, issuer, is_attested=is_attested)
    if (offline or config) and not identity:
        msg = "it needs '--identity'"
        raise click.BadParameter(msg, param_hint="--offline" if offline else "--trust-config")
    repository = common.project()
    if is_attested:
        return _attested(repository, names, Trust(keys, identity, issuer, config, offline))
    from buildlib.commands import verify as command

    failed = 0
    for variant in common.chosen(repository, names):
        if variant.function.is_layer and not names:
            continue
        try:
            common.write(command.verify(repository, variant))
        except (BuildError, OSError) as error:
            console.write(sys.stderr, f"error: {errors.describe(error)}\n")
            failed += 1
    return int(failed > 0)


def _check_together(
    keys: Sequence[str], identity: str | None, issuer: str | None, *, is_attested: bool
) -> None:
    """Raise `BadParameter` for options that mean nothing without others."""
    for name, value in (("--identity", identity), ("--issuer", issuer)):
        if value == "":
            msg = "expected a text, found an empty one"
            raise click.BadParameter(msg, param_hint=name)
    option = "--key" if keys else "--identity" if identity else "--issuer"
    if (keys or identity or issuer) and not is_attested:
        msg = "it needs '--attestation'"
        raise click.BadParameter(msg, param_hint=option)
    if bool(identity) != bool(issuer):
        msg = f"it needs '{'--issuer' if identity else '--identity'}'"
        raise click.BadParameter(msg, param_hint="--identity" if identity else "--issuer")
    if keys and identity:
        msg = "it does not go together with '--key'"
        raise click.BadParameter(msg, param_hint="--identity")
