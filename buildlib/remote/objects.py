"""Published ZIPs: objects of S3 by their sha256, which are created and never replaced.

    <prefix>/<sha256>.zip

An object counts as the right one only after a proof: this run created it with S3's own check of the
sha256; an earlier list that somebody proved names the same version of it; its ETag is the MD5 of
the same bytes, as S3 gives it to an upload in one part; or its bytes were downloaded and hashed.
"""

import contextlib
import hashlib
import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from buildlib.errors import PublishError, RemoteError
from buildlib.remote.bucket import NO_BUCKET, Access, Bucket, Denied, Failure, Stat
from buildlib.runtimes import UNZIPPED_LIMIT

# Bytes of a large ZIP. An upload is in memory as a whole, so few large ones run at once.
_LARGE, _AT_ONCE = 8 << 20, 2

# The name of the metadata of signed ZIPs.
_SIGNED_FROM = "signed-from"

# The folder below a prefix into which AWS Signer writes, under names of its own.
SIGNING = "signing/"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")


class Address(NamedTuple):
    """The bucket and the prefix of published objects; the prefix may be empty."""

    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """The address as people write it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, sha256: str) -> str:
        """Return the key of a ZIP."""
        return f"{self.prefix}/{sha256}.zip".lstrip("/")


def address(text: str) -> Address:
    """Return the address in a text like `s3://bucket/prefix`.

    Raises:
        PublishError: it is another text.

    """
    scheme, _, rest = text.partition("://")
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    dots = {".", ".."} & set(prefix.split("/"))
    is_right = scheme == "s3" and _BUCKET.fullmatch(bucket)
    if not is_right or dots or (prefix and not _PREFIX.fullmatch(prefix)):
        msg = (
            f"'{text}': expected s3://<bucket>/<prefix>, with letters, digits, '_', '.' and '-'. "
            "Lambda takes code from buckets of S3 only"
        )
        raise PublishError(msg)
    return Address(bucket, prefix)


def no_bucket(where: Address) -> str:
    """Return the message about a bucket that does not exist."""
    return (
        f"s3://{where.bucket}: {NO_BUCKET}; correct the address, or make the bucket "
        "(docs/how-to/publish.md)"
    )


class Wanted(NamedTuple):
    """A ZIP that the bucket shall have: its sha256, its file if there is one, its known version.

    `signed_from` is the sha256 of the built ZIP that a signed one was compared with. The object
    keeps it as metadata: a committed file may say anything, but only jobs that publish write here.
    """

    sha256: str
    path: Path | None
    version: str | None = None
    size: int | None = None
    signed_from: str = ""


class Stored(NamedTuple):
    """An object with the right bytes. `path` is its file, if it had to be downloaded.

    `signed_from` is the sha256 of the built ZIP in its metadata.
    """

    version: str | None
    size: int
    is_new: bool = False
    path: Path | None = None
    signed_from: str = ""


class Objects:
    """The published objects of an address. Threads may share it; each method blocks.

    `downloads` is the folder for what has to be downloaded.
    """

    def __init__(self, where: Address, access: Access, downloads: Path) -> None:
        self.where = where
        self._is_anonymous = access.credentials is None and not _has_credentials(os.environ)
        try:
            self._bucket = Bucket(where.url, os.environ, access._replace(checksums=True))
        except RemoteError:
            msg = (
                f"{where.url} cannot be reached with these settings; check AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and AWS_REGION"
            )
            raise PublishError(msg) from None
        self._downloads = downloads
        self._large = threading.Semaphore(_AT_ONCE)

    def look(self, wanted: Wanted) -> Stored | None:
        """Return the object of a ZIP, without a proof of its bytes but its size; None if missing.

        Raises:
            PublishError: it cannot be read, or has another size.

        """
        there = self._known(wanted) or self._stat(wanted.sha256, None)
        if there is None:
            return None
        self._check_size(wanted, there)
        return _stored(there)

    def store(self, wanted: Wanted, obtain: Callable[[], Path] | None = None) -> Stored:
        """Bring a ZIP into the bucket, unless it is there, and return its object.

        If the ZIP has no file, `obtain` gives one, which is removed afterwards.

        Raises:
            PublishError: an object with other bytes is in its place, the ZIP is neither there nor
                here, or a request failed.

        """
        if known := self._known(wanted):
            self._check_size(wanted, known)
            return _stored(known)
        there = self._stat(wanted.sha256, None)
        if there is None:
            if created := self._create(wanted, obtain):
                return created
            there = self._stat(wanted.sha256, None)  # another job was faster
        if there is None:
            msg = (
                f"{self._shown(wanted.sha256)}: the object is there, but these credentials may not "
                "read it; allow s3:GetObject, s3:GetObjectVersion and s3:ListBucket"
            )
            raise PublishError(msg)
        self._check_size(wanted, there)
        return self._proven(wanted, there)

    def fetch(self, sha256: str, version: str | None) -> Path:
        """Download a ZIP, prove its sha256, and return its file, which the caller removes.

        Raises:
            PublishError: it is missing, has other bytes, or cannot be read.

        """
        self._downloads.mkdir(parents=True, exist_ok=True)
        name = f".{sha256}.{threading.get_native_id()}.{os.getpid()}.tmp"
        path, is_right = self._downloads / name, False
        place, shown = f"{sha256}.zip", self._shown(sha256)
        try:
            found = self._bucket.download(place, path, UNZIPPED_LIMIT, lambda _: None, version)
            if not found:
                named = f" has no version {version}" if version else " does not exist"
                msg = f"{shown}{named}"
                raise PublishError(msg)
            if found != sha256:
                raise _foreign(shown, found)
            is_right = True
        except Failure as failure:
            raise self._failed(shown, failure, "s3:GetObject and s3:GetObjectVersion") from None
        finally:
            if not is_right:
                path.unlink(missing_ok=True)
        return path

    def take(self, name: str) -> Path | None:
        """Download an object that another service named, and return its file; None if missing.

        The caller removes the file.

        Raises:
            PublishError: it cannot be read.

        """
        self._downloads.mkdir(parents=True, exist_ok=True)
        path = self._downloads / f".{uuid.uuid4().hex}.tmp"
        found = ""
        try:
            found = self._bucket.download(name, path, UNZIPPED_LIMIT, lambda _: None)
        except Failure as failure:
            shown = f"{self.where.url}/{name}"
            raise self._failed(shown, failure, "s3:GetObject") from None
        finally:
            if not found:
                path.unlink(missing_ok=True)
        return path if found else None

    def _known(self, wanted: Wanted) -> Stat | None:
        """Return the version that an earlier list names, if it is still there."""
        return self._stat(wanted.sha256, wanted.version) if wanted.version else None

    def _stat(self, sha256: str, version: str | None) -> Stat | None:
        try:
            return self._bucket.stat(f"{sha256}.zip", version)
        except Denied:
            # S3 says so of an absent object, too, unless the credentials allow to list the bucket.
            return None
        except Failure as failure:
            if version and str(failure).startswith("HTTP status 400"):  # not an id of this bucket
                return None
            raise self._failed(self._shown(sha256), failure, "") from None

    def _create(self, wanted: Wanted, obtain: Callable[[], Path] | None) -> Stored | None:
        if wanted.path is not None:
            return self._upload(wanted, wanted.path)
        if obtain is None:
            msg = (
                f"{self._shown(wanted.sha256)} does not exist, and the ZIP is not here; run "
                "'lambdas build'"
            )
            raise PublishError(msg)
        path = obtain()
        try:
            return self._upload(wanted, path)
        finally:
            path.unlink(missing_ok=True)

    def _upload(self, wanted: Wanted, path: Path) -> Stored | None:
        sha256 = wanted.sha256
        metadata = {_SIGNED_FROM: wanted.signed_from} if wanted.signed_from else {}
        with self._large if path.stat().st_size > _LARGE else contextlib.nullcontext():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256:
                msg = f"{path.name}: changed while it was published; run the command again"
                raise PublishError(msg, "changed")
            try:
                made = self._bucket.create(f"{sha256}.zip", content, metadata)
            except Failure as failure:
                raise self._failed(self._shown(sha256), failure, "s3:PutObject") from None
        return _stored(made)._replace(is_new=True) if made else None

    def _proven(self, wanted: Wanted, there: Stat) -> Stored:
        if wanted.path is not None:
            digest = hashlib.md5(wanted.path.read_bytes(), usedforsecurity=False).hexdigest()
            if there.etag.strip('"') == digest:
                return _stored(there)
        return _stored(there)._replace(path=self.fetch(wanted.sha256, there.version))

    def _check_size(self, wanted: Wanted, there: Stat) -> None:
        size = wanted.path.stat().st_size if wanted.path else wanted.size
        if size is not None and there.size != size:
            raise _foreign(self._shown(wanted.sha256), f"{there.size} bytes in place of {size}")

    def _shown(self, sha256: str) -> str:
        return f"s3://{self.where.bucket}/{self.where.key(sha256)}"

    def _failed(self, shown: str, failure: Failure, needed: str) -> PublishError:
        if str(failure) == NO_BUCKET:
            return PublishError(no_bucket(self.where))
        advice = "check the connection, AWS_REGION and AWS_ENDPOINT_URL, and run the command again"
        is_refused = isinstance(failure, Denied) or "HTTP status 4" in str(failure)
        if is_refused and self._is_anonymous:
            advice = "no credentials are set: set AWS_PROFILE, or let the job assume a role"
        elif isinstance(failure, Denied) and needed:
            advice = f"allow {needed}, and check the policy of the bucket"
        msg = f"{shown}: {failure}; {advice}"
        return PublishError(msg)


def _has_credentials(environment: Mapping[str, str]) -> bool:
    """Tell whether variables name credentials; otherwise those of the machine's role are used."""
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
    return any(environment.get(name) for name in names)


def _stored(there: Stat) -> Stored:
    """Return an object; its version is None in a bucket without versions (S3 may say "null")."""
    version = there.version if there.version != "null" else None
    return Stored(version, there.size, signed_from=there.metadata.get(_SIGNED_FROM, ""))


def _foreign(shown: str, found: str) -> PublishError:
    msg = (
        f"{shown}: the object has other bytes than its name says ({found}). Nothing overwrites it. "
        "Find out who wrote it; an administrator can then delete it"
    )
    return PublishError(msg, "published-object")
