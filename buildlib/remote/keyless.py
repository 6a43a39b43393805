"""Sigstore: signatures by an identity of OpenID Connect instead of a key.

Its services are Fulcio, which gives a certificate to an identity for ten minutes, and Rekor, the
public log of signatures. A bundle holds the signature with the answers of both, so that verifying
asks nothing. Only this module knows the library.

Source: "Sigstore Bundle Format" in the documentation of Sigstore.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildlib.errors import RemoteError
from buildlib.remote.signing import IN_TOTO

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig


class Services(NamedTuple):
    """The services to use: the public ones, or those of a trust configuration of Sigstore.

    With `offline`, the keys of the public ones are those that the library has or fetched before.
    """

    config: Path | None = None
    offline: bool = False


class Identity(NamedTuple):
    """Who must have signed: the identity in the certificate, and the issuer that vouched for it."""

    name: str
    issuer: str


def check_installed() -> None:
    """Refuse to go on without the library.

    Raises:
        RemoteError: it is not installed.

    """
    if find_spec("sigstore") is None:
        extra = "pip install 'doit-lambda-zip[sigstore]'"
        msg = f"Sigstore needs the package sigstore; install it: {extra}"
        raise RemoteError(msg, "sigstore")


def ambient() -> str:
    """Return the token of the identity that a CI job has.

    Raises:
        RemoteError: there is none.

    """
    from sigstore import oidc

    with _boundary("the identity of this job"):
        token = oidc.detect_credential()
    if not token:
        msg = (
            "no identity to sign with: in GitHub Actions set 'permissions: {id-token: write}', in "
            "GitLab CI 'id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}'; elsewhere set "
            "LAMBDA_ZIP_IDENTITY_TOKEN to a token of OpenID Connect with the audience 'sigstore'"
        )
        raise RemoteError(msg, "sigstore")
    return token


@contextlib.contextmanager
def signer(token: str, services: Services) -> Iterator[tuple[str, Callable[[bytes], str]]]:
    """Give the identity of a token, and a function that signs a statement and returns a bundle.

    Raises:
        RemoteError: the token is no valid one, or a service refuses or cannot be reached.

    """
    from sigstore import dsse, oidc, sign

    advice = "get a new token, with the audience 'sigstore'; most last for minutes"
    with _boundary("the identity token", advice):
        identity = oidc.IdentityToken(token)
    with _boundary("the keys and addresses of Sigstore"):
        context = sign.SigningContext.from_trust_config(_trust(services))
    with contextlib.ExitStack() as stack:
        with _boundary("the certificate"):
            signing = stack.enter_context(context.signer(identity))

        def signed(payload: bytes) -> str:
            with _boundary("signing"):
                return signing.sign_dsse(dsse.Statement(payload)).to_json()

        yield identity.identity, signed


def opened(text: bytes, identity: Identity, services: Services) -> bytes:
    """Return the statement in a bundle that an identity has signed.

    Raises:
        RemoteError: it has not, as the message says, or the keys of Sigstore cannot be fetched.

    """
    from sigstore.models import Bundle
    from sigstore.verify import Verifier, policy

    with _boundary("the keys of Sigstore"):
        verifier = Verifier(trusted_root=_trust(services).trusted_root)
    with _boundary("the bundle"):
        bundle = Bundle.from_json(text)
        wanted = policy.Identity(identity=identity.name, issuer=identity.issuer)
        kind, payload = verifier.verify_dsse(bundle, wanted)
    if kind != IN_TOTO:
        msg = f"the bundle: it has the type {kind}; expected {IN_TOTO}"
        raise RemoteError(msg, "sigstore")
    return payload


def _trust(services: Services) -> "ClientTrustConfig":
    from sigstore.models import ClientTrustConfig

    if services.config is not None:
        with _boundary(services.config.name, "name a trust configuration of Sigstore"):
            return ClientTrustConfig.from_json(services.config.read_text(encoding="utf-8"))
    return ClientTrustConfig.production(offline=services.offline)


@contextlib.contextmanager
def _boundary(what: str, advice: str = "") -> Iterator[None]:
    """Raise the library's errors, and those of the libraries that it uses, as ours."""
    logger = logging.getLogger("sigstore")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except RemoteError as error:  # of a boundary inside of this one
        msg = f"{what}: {error}"
        raise RemoteError(msg, error.kind) from None
    except Exception as error:  # noqa: BLE001 - those of five libraries; none is a base of all
        msg = f"{what}: {_reason(error)}" + (f"; {advice}" if advice else "")
        raise RemoteError(msg, "sigstore") from None
    finally:
        logger.setLevel(before)


def _reason(error: BaseException) -> str:
    """Return an error on one line, with the causes that its text does not have."""
    said = list[str]()
    found: BaseException | None = error
    while found is not None:
        text = " ".join(str(found).split())
        if text and not any(text in one for one in said):
            said.append(text)
        found = found.__cause__ or found.__context__
    return "; ".join(text[:200] for text in said[:3]) or type(error).__name__
