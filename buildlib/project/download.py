"""Download a file that is pinned by its sha256."""

import hashlib
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from buildlib import progress
from buildlib.errors import StageError
from buildlib.files import atomic
from buildlib.model import Pinned
from buildlib.runtimes import UNZIPPED_LIMIT
from buildlib.text import megabytes

# Seconds without an answer, and how often an address is tried.
_TIMEOUT, _TRIES = 60, 3


_CHUNK = 1 << 20


def download(one: Pinned, path: Path) -> None:
    """Download a file to its place, after its content was compared.

    Raises:
        StageError: the address cannot be read, or gives another file.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, _TRIES + 1):
        try:
            with atomic.replacing(path) as temporary:
                found = _copy(one.url, temporary)
                if found != one.sha256:
                    msg = (
                        f"{one.url}: has the sha256 {found}, not {one.sha256}: the file was "
                        "replaced, or the sha256 is of another one; find out which before you "
                        "change it"
                    )
                    raise StageError(msg, "pinned-file")
        except (urllib.error.HTTPError, ValueError) as error:
            msg = f"{one.url}: cannot be downloaded: {error}; correct the address in 'files'"
            raise StageError(msg, "pinned-file") from None
        except (OSError, HTTPException) as error:
            if number == _TRIES:
                reason = getattr(error, "reason", None) or error
                msg = f"{one.url}: cannot be downloaded: {reason}; check the connection"
                raise StageError(msg, "pinned-file") from None
        else:
            return


def _copy(url: str, target: Path) -> str:
    """Write the content of an address to a file, and return its sha256.

    Raises:
        StageError: it is larger than Lambda takes.

    """
    digest, size = hashlib.sha256(), 0
    request = urllib.request.Request(url, headers={"User-Agent": "doit-lambda-zip"})  # noqa: S310 - the manifest's pattern allows http(s) only
    with (
        urllib.request.urlopen(request, timeout=_TIMEOUT) as response,  # noqa: S310
        target.open("wb") as stream,
    ):
        progress.update(f"downloading {url.rpartition('/')[2]}")
        for chunk in iter(lambda: response.read(_CHUNK), b""):
            size += len(chunk)
            if size > UNZIPPED_LIMIT:
                msg = f"{url}: more than {megabytes(UNZIPPED_LIMIT)}, which Lambda does not take"
                raise StageError(msg, "pinned-file")
            digest.update(chunk)
            stream.write(chunk)
        length = response.headers.get("Content-Length")
        if length and length.isdecimal() and int(length) != size:
            msg = f"the connection ended after {size} of {length} bytes"
            raise OSError(msg)
    return digest.hexdigest()
