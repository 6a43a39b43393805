"""The settings of the remote cache: `cache:` in lambdas.yaml, and environment variables."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from buildlib.errors import RemoteError
from buildlib.model import Cache
from buildlib.remote.budget import LIMIT
from buildlib.uv.redact import without_credentials

URL, WAIT, SIGNING_KEY = "LAMBDA_ZIP_REMOTE", "LAMBDA_ZIP_REMOTE_WAIT", "LAMBDA_ZIP_SIGNING_KEY"

BUCKET, SIGNED = "bucket", "signed"

_SCHEMES = ("s3", "gs", "az", "http", "https", "file")

_OFF = "off"


class Settings(NamedTuple):
    """The address of the remote cache, and the rules by which an entry is believed.

    `url` may hold credentials; `shown` is the address for people. `keys` are the trusted public
    keys by name, as base64 of their DER; `signatures` is how many of them must have signed.
    `signing_key` is the text of the variable, and `wait` the budget in seconds.
    """

    url: str
    trust: str = BUCKET
    keys: tuple[tuple[str, str], ...] = ()
    signatures: int = 1
    signing_key: str = ""
    wait: float = LIMIT

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return without_credentials(self.url).partition("?")[0]


def read(cache: Cache | None, environment: Mapping[str, str]) -> Settings | None:
    """Return the settings; None if no remote is configured, or it is turned off.

    Raises:
        RemoteError: a variable has a wrong value, or a package is not installed.

    """
    cache = cache or Cache()
    url = environment.get(URL) or cache.remote
    if not url or url == _OFF:
        return None
    _check_address(url)
    settings = Settings(
        url,
        cache.trust,
        cache.keys,
        cache.signatures,
        environment.get(SIGNING_KEY, ""),
        _wait(environment.get(WAIT, "")),
    )
    _check_installed(settings)
    return settings


def _check_address(url: str) -> None:
    scheme = url.partition("://")[0].lower()
    if "://" in url and scheme in _SCHEMES:
        return
    shown = without_credentials(url).partition("?")[0]
    schemes = ", ".join(f"{one}://" for one in _SCHEMES)
    msg = f"{URL}: expected an address that starts with {schemes}, or 'off', found '{shown}'"
    raise RemoteError(msg, "remote")


def _wait(text: str) -> float:
    if text and not re.fullmatch(r"[0-9]{1,5}", text):
        msg = f"{WAIT}: expected a number of seconds, found '{text}'; set a whole number"
        raise RemoteError(msg, "remote")
    return float(text) if text else LIMIT


def _check_installed(settings: Settings) -> None:
    from importlib.util import find_spec

    needed = ["obstore"]
    if settings.trust == SIGNED or settings.signing_key:
        needed.append("cryptography")
    if missing := [name for name in needed if find_spec(name) is None]:
        msg = (
            f"the remote cache {settings.shown} needs the package {missing[0]}; install it: pip "
            f"install 'doit-lambda-zip[remote]', or build without the cache: {URL}=off"
        )
        raise RemoteError(msg, "remote")
