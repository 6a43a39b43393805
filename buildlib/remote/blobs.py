"""Blobs: contents by their sha256, which is checked whenever one arrives."""

import contextlib
import threading
from pathlib import Path

from buildlib.remote import entries
from buildlib.remote.bucket import Bucket, Denied
from buildlib.remote.budget import Budget

# Bytes of a large blob. An upload is in memory as a whole, so few large ones run at once.
_LARGE, _AT_ONCE = 8 << 20, 2


class Wrong(Exception):  # noqa: N818 - what it is about is not an error of the user
    """A blob has not the content that its name says."""


class Blobs:
    """The blobs of a bucket. Threads may share it; each method blocks."""

    def __init__(self, bucket: Bucket, budget: Budget) -> None:
        self._bucket, self._budget = bucket, budget
        self._large = threading.Semaphore(_AT_ONCE)

    def fetch(self, sha256: str, size: int, target: Path) -> bool:
        """Write a blob of `size` bytes to `target`; false if the bucket does not have it.

        Raises:
            Wrong: it is another one, or damaged; `target` does not exist then.
            Failure: it cannot be read.

        """
        target.parent.mkdir(parents=True, exist_ok=True)
        is_right = False
        try:
            found = self._bucket.download(entries.blob(sha256), target, size, self._budget.arrived)
            if found and (found != sha256 or target.stat().st_size != size):
                raise Wrong
            is_right = bool(found)
        finally:
            if not is_right:
                target.unlink(missing_ok=True)
        return is_right

    def add(self, sha256: str, path: Path) -> bool:
        """Upload a file with this sha256, unless the bucket has it; tell whether it has it now.

        The answer is false if the file is another one by now.

        Raises:
            Wrong: the bucket has a damaged blob in its place, which is never replaced.
            Failure: it cannot be written.

        """
        import hashlib

        size, place = path.stat().st_size, entries.blob(sha256)
        with self._large if size > _LARGE else contextlib.nullcontext():
            there = self._size(place)
            if there is None:
                content = path.read_bytes()
                if hashlib.sha256(content).hexdigest() != sha256:
                    return False
                if self._bucket.create(place, content):
                    self._budget.arrived(size)
                    return True
                there = self._size(place)
        if there not in {None, size}:
            raise Wrong
        return True

    def _size(self, place: str) -> int | None:
        """Return the size of an object; None if it is missing, or nobody may know."""
        try:
            return self._bucket.size(place)
        except Denied:  # S3 says so of an absent object, unless the credentials allow to list
            return None
