"""The workers of a farm: which there are, and which of them may be used.

A worker introduces itself with the versions of all that reaches the bytes. One that differs is
named and not used.
"""

import logging
import time
from collections.abc import Callable
from functools import partial

from buildlib.commands.farm import versions, worker
from buildlib.commands.farm.cluster import Cluster
from buildlib.commands.farm.jobs import Worker
from buildlib.errors import FarmError

_logger = logging.getLogger(__name__)

# Seconds for a worker to introduce itself.
_GREETING = 10.0


class Crew:
    """The workers of a cluster, by address; `later` leaves a call to the thread that decides."""

    def __init__(self, cluster: Cluster, address: str, later: Callable[..., None]) -> None:
        self._cluster, self._address, self._later = cluster, address, later
        self._problems: dict[str, str] | None = {}  # of workers that are refused, at the start
        self.workers: dict[str, Worker] = {}

    def meet(self, wait: Callable[[float], None]) -> None:
        """Wait until all workers of the moment have introduced themselves, or time is up.

        `wait` handles the events of some seconds.

        Raises:
            FarmError: none can be used.

        """
        end, problems = time.monotonic() + _GREETING, self._problems or {}
        self._problems = problems
        while True:
            self.look()
            if self.workers and all(w.is_usable or a in problems for a, w in self.workers.items()):
                break
            if time.monotonic() > end:
                break
            wait(0.2)
        self._problems = None
        for address in self.workers:
            problems.setdefault(address, f"did not answer within {_GREETING:.0f} s; restart it")
        lines = [
            f"farm worker {address}: {problems[address]}"
            for address, one in self.workers.items()
            if not one.is_usable
        ]
        if not any(one.is_usable for one in self.workers.values()):
            lines = lines or ["it has no workers; start some: dask worker " + self._address]
            msg = "\n".join([f"the farm {self._address} has no usable worker", *lines])
            raise FarmError(msg)
        for line in lines:
            _logger.warning("warning: %s", line)

    def look(self) -> list[Worker]:
        """Ask workers that came to introduce themselves; return those that went."""
        machines = self._cluster.machines()
        gone = [self.workers.pop(one) for one in [*self.workers] if one not in machines]
        for address, machine in machines.items():
            if address not in self.workers:
                self.workers[address] = Worker(machine)
                ended = partial(self._later, self._greeted, address)
                self._cluster.ask(address, worker.describe, ended)
        return gone

    def refuse(self, one: Worker, why: str) -> None:
        """Use a worker no more in this run, and name it."""
        if one.is_usable:
            one.is_usable = False
            _logger.warning(
                "warning: farm worker %s %s; it is not used any more in this run",
                one.machine.address,
                why,
            )

    def _greeted(
        self,
        address: str,
        facts: versions.Facts | None,
        error: BaseException | None,
    ) -> None:
        """Decide whether a worker may be used, by the facts that it gave."""
        one, here = self.workers.get(address), versions.here()
        if one is None:
            return
        if facts is None:
            problem = f"cannot run doit-lambda-zip ({short(error)}); {versions.remedy(here)}"
        elif differ := list(versions.differences(here, facts)):
            problem = f"{'; '.join(differ)}. Its ZIPs could differ, so it is not used; "
            problem += versions.remedy(here)
        else:
            one.is_usable = True
            return
        if self._problems is None:
            _logger.warning("warning: farm worker %s: %s", address, problem)
        else:
            self._problems[address] = problem


def short(error: BaseException | None) -> str:
    """Return an error on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
