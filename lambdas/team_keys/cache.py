"""Values that live in memory between warm invocations."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Cached(Generic[V]):
    """A value, how old it is in seconds, and the error if it could not be renewed."""

    value: V
    age: float
    error: Exception | None = None


class TtlCache(Generic[V]):
    """Keeps a value for `ttl` seconds; `grace` more while it cannot be renewed.

    The clock is the wall clock: a monotonic one may stand still while Lambda has the environment
    frozen, and a member who left the team would keep access for longer than `ttl`.
    """

    def __init__(self, ttl: float, grace: float, clock: Callable[[], float] = time.time) -> None:
        self.ttl = ttl
        self._grace = grace
        self._clock = clock
        self._entries: dict[str, tuple[V, float]] = {}

    def get(self, key: str, load: Callable[[], V], passing: type[Exception]) -> Cached[V]:
        """Return the value of `key`, from `load` when there is none or it is older than `ttl`.

        When `load` raises `passing` and the old value is within its grace, that value is returned
        with the error. Every other exception of `load` is raised.
        """
        old = self._old(key)
        if old and old.age < self.ttl:
            return old
        try:
            value = load()
        except passing as error:
            if old and old.age < self.ttl + self._grace:
                return Cached(old.value, old.age, error)
            raise
        self._entries[key] = (value, self._clock())
        return Cached(value, 0.0)

    def _old(self, key: str) -> Cached[V] | None:
        if key not in self._entries:
            return None
        value, stored_at = self._entries[key]
        age = self._clock() - stored_at
        return Cached(value, age) if age >= 0 else None  # None: the clock was set back
