"""The remarks of a run about the remote, each said once, at its end."""

import threading
from collections.abc import Iterator

# Names that are shown.
_SHOWN = 3


class Remarks:
    """Remarks, each with the variants that it is about. Threads may share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, dict[str, None]] = {}

    def add(self, text: str, name: str = "") -> None:
        """Note a remark, about a variant if it has a name."""
        with self._lock:
            names = self._names.setdefault(text, {})
            if name:
                names[name] = None

    def take(self) -> Iterator[str]:
        """Yield each remark as a line, with its names; the next call has only new ones."""
        with self._lock:
            taken, self._names = self._names, {}
        for text, names in taken.items():
            found = sorted(names)
            more = len(found) - _SHOWN
            shown = found if more <= 1 else [*found[:_SHOWN], f"{more} more"]
            yield f"{text} ({', '.join(shown)})" if found else text
