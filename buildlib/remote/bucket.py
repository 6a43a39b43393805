"""A bucket, or a folder, or an HTTP server: the one module that knows obstore.

The errors of obstore hold addresses with their credentials, so no text of theirs goes further than
this module: only the kind of a failure, the HTTP status and the error code of the service do.
"""

import base64
import hashlib
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from buildlib.errors import RemoteError
from buildlib.remote.reasons import REFUSALS, reason

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")

# Bytes of a download that are handled at once.
_CHUNK = 256 << 10


class Failure(Exception):  # noqa: N818 - it says what failed; nothing of it is an error of the user
    """The remote did not do as asked; the text says why, in a few words."""


class Denied(Failure):
    """The credentials do not allow it."""


class Bucket:
    """The objects below an address. Threads may share it; each method blocks.

    Raises:
        RemoteError: the address or the settings of its service cannot be used.

    """

    def __init__(self, url: str, environment: Mapping[str, str] = os.environ) -> None:
        import obstore.exceptions  # 40 ms, and only where a remote is configured
        import obstore.store

        self._obstore: Any = obstore
        self._is_http = url.startswith(("http:", "https:"))
        address, headers = _with_headers(url, environment)
        if url.startswith("file:"):
            _make_folder(address)
        plain_s3 = environment.get("AWS_ENDPOINT_URL", "").startswith("http:")
        client: dict[str, Any] = {
            "allow_http": url.startswith("http:") or plain_s3,
            "connect_timeout": "3s",
            "read_timeout": "20s",
            "timeout": "1h",  # of the whole request; the budget decides
            "default_headers": headers,
        }
        retry = {
            "max_retries": 2,
            "backoff": {"init_backoff": timedelta(milliseconds=100), "base": 2},
            "retry_timeout": timedelta(seconds=10),
        }

        def store(**more: str) -> "ObjectStore":
            options: dict[str, Any] = {}
            if not url.startswith("file:"):
                settings = client | {"default_headers": headers | more}
                options = {"client_options": settings, "retry_config": retry}
            found: ObjectStore = obstore.store.from_url(address, **options)
            return found

        try:
            self._store = store()
            # obstore offers no `mode="create"` for plain HTTP, and the header is the same for all.
            self._writer = store(**{"If-None-Match": "*"}) if self._is_http else self._store
        except Exception as error:  # noqa: BLE001 - obstore raises errors of many classes
            msg = f"the remote cache cannot be used: {reason(error)}; {_ADVICE}"
            raise RemoteError(msg, "remote") from None

    def get(self, path: str, limit: int) -> bytes | None:
        """Return a small object, or its first bytes above `limit`; None if it is missing or empty.

        Raises:
            Failure: it cannot be read.

        """
        found = b""
        for chunk in self._chunks(path):
            found += chunk
            if len(found) > limit:
                break
        return found or None

    def download(self, path: str, target: Path, limit: int, arrived: Callable[[int], None]) -> str:
        """Write an object to a file, and return its sha256; empty if there is no such object.

        Reading ends soon after `limit` bytes, if the object is larger.

        Raises:
            Failure: it cannot be read, or ends early.

        """
        digest, size, exists = hashlib.sha256(), 0, False
        with target.open("wb") as stream:
            for chunk in self._chunks(path):
                exists = True
                digest.update(chunk)
                stream.write(chunk)
                size += len(chunk)
                arrived(len(chunk))
                if size > limit:
                    break
        return digest.hexdigest() if exists else ""

    def size(self, path: str) -> int | None:
        """Return the size of an object in bytes; None if it is missing.

        Raises:
            Failure: it cannot be read.

        """
        try:
            return int(_asked(lambda: self._obstore.head(self._store, path))["size"])
        except FileNotFoundError:
            return None

    def create(self, path: str, content: bytes) -> bool:
        """Create an object; false if there is one, which stays as it is.

        Raises:
            Failure: it cannot be written.

        """
        if self._is_http and self.size(path) is not None:  # the server may ignore the header
            return False
        mode = None if self._is_http else "create"
        put, exceptions = self._obstore.put, self._obstore.exceptions
        try:
            _asked(lambda: put(self._writer, path, content, mode=mode, use_multipart=False))
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """Return the paths of the objects below a folder, relative to it.

        An HTTP server that cannot list (PROPFIND of RFC 4918) has none.

        Raises:
            Failure: they cannot be listed.

        """
        try:
            pages = _asked(lambda: list(self._obstore.list(self._store, folder)))
        except FileNotFoundError:
            return []
        except Failure:
            if self._is_http:
                return []
            raise
        # With HTTP, obstore gives paths from the server's root.
        return [one["path"].rpartition(f"{folder}/")[2] for page in pages for one in page]

    def _chunks(self, path: str) -> Iterator[bytes]:
        try:
            chunks = iter(
                _asked(lambda: self._obstore.get(self._store, path)).stream(min_chunk_size=_CHUNK)
            )
        except FileNotFoundError:
            return
        while (chunk := _asked(lambda: next(chunks, None))) is not None:
            yield bytes(chunk)


_ADVICE = (
    "correct LAMBDA_ZIP_REMOTE or 'cache: remote' in lambdas.yaml, or set the variables of the "
    "service, such as AWS_REGION or AZURE_STORAGE_ACCOUNT_NAME"
)


def _with_headers(url: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
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


def _make_folder(url: str) -> None:
    """Make the folder of a `file:` address.

    Raises:
        RemoteError: it cannot be made.

    """
    from urllib.request import url2pathname

    path = Path(url2pathname(urllib.parse.urlsplit(url).path))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"the remote cache {path} cannot be used: {error.strerror}; {_ADVICE}"
        raise RemoteError(msg, "remote") from None


def _asked(ask: Callable[[], T]) -> T:
    """Return the answer to a request.

    Raises:
        Failure: as the methods of `Bucket` do.
        FileNotFoundError: there is no such object.

    """
    from obstore import exceptions

    try:
        return ask()
    except (FileNotFoundError, exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError):
        msg = "permission denied"
        raise Denied(msg) from None
    except Exception as error:  # noqa: BLE001 - obstore raises errors of many classes
        if (why := reason(error)) in REFUSALS:
            raise Denied(why) from None
        raise Failure(why) from None
