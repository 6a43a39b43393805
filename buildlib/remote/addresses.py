"""The addresses of remotes: their credentials, which go into headers, and their folders."""

import base64
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from buildlib.errors import RemoteError

ADVICE = (
    "correct LAMBDA_ZIP_REMOTE or 'cache: remote' in lambdas.yaml, or set the variables of the "
    "service, such as AWS_REGION or AZURE_STORAGE_ACCOUNT_NAME"
)


def with_headers(url: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return an address without its user and password, and the headers that take their place."""
    parts = urllib.parse.urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if parts.scheme not in {"http", "https"}:
        return url, {}
    if token := environment.get("LAMBDA_ZIP_REMOTE_TOKEN"):
        return parts._replace(netloc=host).geturl(), {"Authorization": f"Bearer {token}"}
    if not at:
        return url, {}
    encoded = base64.b64encode(urllib.parse.unquote(userinfo).encode()).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {encoded}"}


def make_folder(url: str) -> None:
    """Make the folder of a `file:` address.

    Raises:
        RemoteError: it cannot be made.

    """
    from urllib.request import url2pathname

    path = Path(url2pathname(urllib.parse.urlsplit(url).path))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"the remote cache {path} cannot be used: {error.strerror}; {ADVICE}"
        raise RemoteError(msg, "remote") from None
