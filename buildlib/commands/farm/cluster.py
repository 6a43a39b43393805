"""A Dask cluster: its workers, and calls that run on one of them. Only this module knows Dask.

Addresses, certificates and timeouts are Dask's: its configuration files and `DASK_...` variables
hold for the client as for schedulers and workers.
"""

import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from buildlib.errors import FarmError

# Seconds to find the scheduler, and for the good manners at the end of a run.
_CONNECT, _CLOSE = 5, 3

# Seconds to fetch a result that a worker has.
_FETCH = 60

# No logs on the user's terminal, and no warnings about contents: the contents are sent on purpose.
_QUIET = {
    "logging": {"distributed": "critical", "distributed.client": "critical"},
    "distributed.admin.large-graph-warning-threshold": "4 GiB",
}

# The end of a call: its result, or an error.
Ended = Callable[[Any, BaseException | None], None]


class Machine(NamedTuple):
    """A worker: how many calls it runs at once, and its resources, such as `docker`."""

    address: str
    threads: int
    resources: Mapping[str, float]


class Lost(Exception):  # noqa: N818 - an end, as KeyboardInterrupt is one
    """A call ended without a result, because its worker did."""


class Cluster:
    """A connection to a scheduler. Threads may share it.

    Raises:
        FarmError: no scheduler answers at the address.

    """

    def __init__(self, address: str) -> None:
        import dask.config

        dask.config.set(_QUIET)
        import distributed  # a second

        try:
            self._client: Any = distributed.Client(  # type: ignore[no-untyped-call]
                address, timeout=_CONNECT, set_as_default=False
            )
        except Exception as error:  # noqa: BLE001 - of sockets, TLS and Dask
            reason = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
            reason = re.sub(r"^in <[^>]*>: ", "", reason)  # Python's name of an object
            msg = (
                f"no Dask scheduler answered at {address} within {_CONNECT} s ({reason}); start "
                "one with 'dask scheduler', or correct the address. A tls:// address needs the "
                "certificates of Dask's configuration, a tcp:// address a scheduler without TLS"
            )
            raise FarmError(msg) from None

    def machines(self) -> dict[str, Machine]:
        """Return the running workers, by their addresses.

        Raises:
            Exception: the scheduler does not answer any more.

        """
        found = self._client.scheduler_info(n_workers=-1)["workers"]
        return {
            address: Machine(address, max(1, one["nthreads"]), one["resources"] or {})
            for address, one in found.items()
            if one["status"] == "running"
        }

    def ask(self, address: str, function: Callable[..., Any], *arguments: object) -> None:
        """Call a short function on a worker at once, in a thread that nobody waits for.

        The last argument is an `Ended`, which gets the result.
        """
        *sent, ended = arguments

        def run() -> None:
            try:
                found = self._client.run(
                    in_folder, function, *sent, workers=[address], on_error="return"
                )[address]
            except Exception as error:  # noqa: BLE001 - as the call
                found = error
            is_error = isinstance(found, Exception)
            ended(None if is_error else found, found if is_error else None)  # type: ignore[operator]

        threading.Thread(target=run, daemon=True, name="farm").start()

    def start(
        self,
        machine: str,
        function: Callable[..., Any],
        argument: object,
        needs: Mapping[str, int],
        ended: Ended,
    ) -> "Running":
        """Call a function on a worker when that has a free thread and the resources."""
        future = self._client.submit(
            in_folder,
            function,
            argument,
            key=f"lambdas-{uuid.uuid4().hex}",
            workers=[machine],
            allow_other_workers=False,
            resources=dict(needs) or None,
            retries=0,
            pure=False,
        )
        running = Running(future)
        future.add_done_callback(lambda _: running.end(ended))
        return running

    def close(self, goodbye: Callable[..., Any], *arguments: object) -> None:
        """End the connection after a last call on each worker; wait a few seconds at most."""

        def run() -> None:
            try:
                self._client.run(in_folder, goodbye, *arguments, on_error="ignore")
            finally:
                self._client.close(timeout=_CLOSE)

        last = threading.Thread(target=run, daemon=True, name="farm")
        last.start()
        last.join(_CLOSE)


class Running:
    """A call on a worker."""

    def __init__(self, future: Any) -> None:  # noqa: ANN401 - a Future of Dask
        self._future = future
        self._is_cancelled = False

    def cancel(self) -> None:
        """Give up a call: its end is not told any more.

        A scheduler forgets a task without futures, and starts it no more. This waits for nothing.
        """
        if not self._is_cancelled:
            self._is_cancelled = True
            self._future.release()

    def end(self, ended: Ended) -> None:
        """Tell the end of the call."""
        if self._is_cancelled:
            return
        result: Any = None
        error: BaseException | None = None
        try:
            result = self._future.result(timeout=_FETCH)
        except BaseException as failure:  # noqa: BLE001 - Dask's cancellation is no Exception
            is_lost = self._future.status != "error" or type(failure).__name__ == "KilledWorker"
            error = Lost() if is_lost else failure
        self.cancel()
        ended(result, error)


def in_folder(
    function: Callable[..., Any],
    *arguments: object,
    dask_worker: Any = None,  # noqa: ANN401 - Dask gives it to calls outside of tasks
) -> Any:  # noqa: ANN401 - as the function
    """Call a function on a worker, with the worker's own folder as the first argument."""
    import distributed

    worker = dask_worker or distributed.get_worker()
    return function(worker.local_directory, *arguments)
