"""The delay that a remote may cause: seconds of waiting, shared by all threads of a run.

Time counts while at least one thread waits for the remote, and less than `RATE` bytes a second
arrive; an object, however small, counts as `OBJECT` bytes. So healthy downloads of any size and
number cost nothing, and a remote that hangs, trickles, answers slowly or has nothing costs `LIMIT`
at most.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

# Seconds of a run, unless LAMBDA_ZIP_REMOTE_WAIT sets another number.
LIMIT = 5.0

# Bytes a second. Most builds are faster than a slower download.
RATE = 1 << 20

# Bytes: 64 objects a second are as good as the rate.
OBJECT = 16 << 10


class Budget:
    """The seconds of a run that are left for waiting. Threads may share it."""

    def __init__(self, limit: float = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._lock = threading.Lock()
        self._spent = 0.0
        self._waiting = 0
        self._since = 0.0  # the end of the time that `_spent` covers

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside the context, once for all threads in it."""
        with self._lock:
            if not self._waiting:
                self._since = self._clock()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._settle(0)
                self._waiting -= 1

    def arrived(self, size: int) -> None:
        """Note that bytes arrived: as much time as they may take does not count."""
        with self._lock:
            if self._waiting:
                self._settle(size)

    def left(self) -> float:
        """Return the seconds that are left; 0 or less if none are."""
        with self._lock:
            waited = self._clock() - self._since if self._waiting else 0.0
            return self.limit - self._spent - waited

    def _settle(self, size: int) -> None:
        now = self._clock()
        # No credit for later: a fast download is no reason to wait longer for a hanging one.
        self._spent += max(0.0, now - self._since - size / RATE)
        self._since = now
