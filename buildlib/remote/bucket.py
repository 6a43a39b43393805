"""A bucket, or a folder, or an HTTP server: the one module that knows obstore.

The errors of obstore hold addresses with their credentials, so no text of theirs goes further than
this module: only the kind of a failure, the HTTP status and the error code of the service do.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from buildlib.errors import RemoteError
from buildlib.remote import addresses
from buildlib.remote.reasons import REFUSALS, reason

if TYPE_CHECKING:
    from obstore import Bytes
    from obstore.store import ObjectStore

T = TypeVar("T")

# Bytes of a download that are handled at once.
_CHUNK = 256 << 10


# The text of a failure that no other try changes.
NO_BUCKET = "the bucket does not exist"


class Failure(Exception):  # noqa: N818 - it says what failed; nothing of it is an error of the user
    """The remote did not do as asked; the text says why, in a few words."""


class Denied(Failure):
    """The credentials do not allow it."""


class Stat(NamedTuple):
    """An object: its size in bytes, the id of its version if S3 keeps versions, and its ETag.

    `metadata` is that of the one who created it.
    """

    size: int
    version: str | None
    etag: str
    metadata: Mapping[str, str] = MappingProxyType({})


class Access(NamedTuple):
    """How the objects of S3 are reached, where the variables of the environment do not say so.

    `credentials` is a provider of obstore's. With `checksums`, S3 checks the sha256 of each upload.
    """

    region: str = ""
    credentials: object = None
    checksums: bool = False


def credentials(session: Any) -> object:  # noqa: ANN401 - boto3 has no types
    """Return obstore's provider of the credentials of a session of boto3."""
    from obstore.auth.boto3 import Boto3CredentialProvider

    return Boto3CredentialProvider(session)


class Bucket:
    """The objects below an address. Threads may share it; each method blocks.

    Raises:
        RemoteError: the address or the settings of its service cannot be used.

    """

    def __init__(
        self, url: str, environment: Mapping[str, str] = os.environ, access: Access | None = None
    ) -> None:
        import obstore.exceptions  # 40 ms, and only where a remote is configured
        import obstore.store

        self._obstore: Any = obstore
        self._is_http = url.startswith(("http:", "https:"))
        address, headers = addresses.with_headers(url, environment)
        if url.startswith("file:"):
            addresses.make_folder(address)
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
            options: dict[str, Any] = _options(access) if access else {}
            if not url.startswith("file:"):
                settings = client | {"default_headers": headers | more}
                options |= {"client_options": settings, "retry_config": retry}
            found: ObjectStore = obstore.store.from_url(address, **options)
            return found

        try:
            self._store = store()
            # obstore offers no `mode="create"` for plain HTTP, and the header is the same for all.
            self._writer = store(**{"If-None-Match": "*"}) if self._is_http else self._store
        except Exception as error:  # noqa: BLE001 - obstore raises errors of many classes
            msg = f"the remote cache cannot be used: {reason(error)}; {addresses.ADVICE}"
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

    def download(
        self,
        path: str,
        target: Path,
        limit: int,
        arrived: Callable[[int], None],
        version: str | None = None,
    ) -> str:
        """Write an object to a file, and return its sha256; empty if there is no such object.

        Reading ends soon after `limit` bytes, if the object is larger.

        Raises:
            Failure: it cannot be read, or ends early.

        """
        digest, size, exists = hashlib.sha256(), 0, False
        with target.open("wb") as stream:
            for chunk in self._chunks(path, version):
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
        found = self.stat(path)
        return None if found is None else found.size

    def stat(self, path: str, version: str | None = None) -> Stat | None:
        """Return the facts of an object, or of one of its versions; None if it is missing.

        Raises:
            Failure: they cannot be read.

        """
        get, options = self._obstore.get, {"head": True} | ({"version": version} if version else {})
        try:
            answer = _asked(lambda: get(self._store, path, options=options))
        except FileNotFoundError:
            return None
        found, metadata = answer.meta, answer.attributes
        etag = found.get("e_tag") or ""
        return Stat(int(found["size"]), found.get("version"), etag, metadata)

    def create(
        self, path: str, content: bytes, metadata: Mapping[str, str] = MappingProxyType({})
    ) -> Stat | None:
        """Create an object, and return its facts; None if there is one, which stays as it is.

        Only S3 keeps metadata.

        Raises:
            Failure: it cannot be written.

        """
        if self._is_http and self.size(path) is not None:  # the server may ignore the header
            return None
        mode = None if self._is_http else "create"
        put, exceptions = self._obstore.put, self._obstore.exceptions
        options = {"mode": mode, "use_multipart": False, "attributes": dict(metadata) or None}
        try:
            made = _asked(lambda: put(self._writer, path, content, **options))
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            return None
        except FileNotFoundError:
            raise Failure(NO_BUCKET) from None
        return Stat(len(content), made.get("version"), made.get("e_tag") or "", metadata)

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

    def _chunks(self, path: str, version: str | None = None) -> Iterator["Bytes"]:
        options = {"version": version} if version else None
        get = self._obstore.get
        try:
            found = _asked(lambda: get(self._store, path, options=options))
            chunks = iter(found.stream(min_chunk_size=_CHUNK))
        except FileNotFoundError:
            return
        while (chunk := _asked(lambda: next(chunks, None))) is not None:
            yield chunk  # a buffer, of which `download` makes no copy


def _options(access: Access) -> dict[str, Any]:
    """Return the arguments of a store of S3."""
    config = {
        **({"region": access.region} if access.region else {}),
        **({"checksum_algorithm": "sha256"} if access.checksums else {}),
    }
    provider = access.credentials
    return {"config": config, **({"credential_provider": provider} if provider else {})}


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
