"""The remote in a run: requests within the budget, and the decision to go on without it."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from buildlib.remote.blobs import Blobs
from buildlib.remote.bucket import Bucket, Denied, Failure
from buildlib.remote.budget import OBJECT, Budget
from buildlib.remote.calls import Call, Off, Pool
from buildlib.remote.remarks import Remarks
from buildlib.remote.settings import Settings

T = TypeVar("T")

# Failed requests after which the remote is not asked again. Each was tried three times.
_PATIENCE = 3


class Client:
    """A bucket that may hang, fail or refuse without harm. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self.shown = settings.shown
        self.remarks = Remarks()
        self.budget = Budget(settings.wait)
        self.bucket = Bucket(settings.url)
        self.blobs = Blobs(self.bucket, self.budget)
        self.pool = Pool()
        self._lock = threading.Lock()
        self._failures = 0
        self._is_off = False
        self._is_read_only = False
        self._has_read = False

    @property
    def is_off(self) -> bool:
        """Whether the remote is not used any more in this run."""
        return self._is_off

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written."""
        return self._is_read_only

    def stop(self, why: str) -> None:
        """Go on without the remote."""
        with self._lock:
            if self._is_off:
                return
            self._is_off = True
        self.remarks.add(f"the build goes on without the remote cache {self.shown}: {why}")

    def reading(self, job: Callable[[], T]) -> T | None:
        """Return the answer to a request; None if it fails or is refused, or the remote is off."""
        if self._is_off:
            return None
        try:
            found = job()
        except Denied as denied:
            # S3 says so of an absent object, unless the credentials allow to list the bucket.
            if not self._has_read:
                self.remarks.add(
                    f"the remote cache {self.shown} refuses requests to read: {denied}"
                )
            return None
        except Failure as failure:
            self.fail(failure)
            return None
        if found:
            self._has_read = True
            self.budget.arrived(OBJECT)
        return found

    def fail(self, failure: Failure) -> None:
        """Count a failed request."""
        with self._lock:
            self._failures += 1
            is_enough = self._failures >= _PATIENCE
        if is_enough:
            self.stop(str(failure))
        elif not self._is_off:
            self.remarks.add(f"a request to the remote cache {self.shown} failed: {failure}")

    def refuse(self, denied: Denied) -> None:
        """Write nothing more."""
        with self._lock:
            if self._is_read_only:
                return
            self._is_read_only = True
        self.remarks.add(
            f"the remote cache {self.shown} is read-only for these credentials ({denied}), so "
            "nothing is uploaded"
        )

    def wait(self, call: Call[T]) -> T | None:
        """Return the result of a call; None if the budget is spent before."""
        try:
            return call.wait(self.budget)
        except Off:
            self.stop(f"it did not answer in time ({self.budget.limit:.0f} s for a whole run)")
            return None

    def read_all(self, jobs: Sequence[Callable[[], T]]) -> list[T | None]:
        """Return the answer to each request, as `reading`; they run at the same time."""
        calls = [self.pool.submit(lambda job=job: self.reading(job)) for job in jobs]  # type: ignore[misc]
        return [None if self._is_off else self.wait(call) for call in calls]
