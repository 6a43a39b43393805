"""Find the programs that other packages bring."""

import threading
from collections.abc import Callable

# They look into Python's sysconfig, whose first use is not safe in two threads at once.
_lock = threading.Lock()


def find(search: Callable[[], str]) -> str:
    """Return the path that a package's own search gives, with one search at a time."""
    with _lock:
        return str(search())
