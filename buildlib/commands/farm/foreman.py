"""The foreman of a farm: it gives jobs to workers, takes the answers, and names faulty workers.

One thread decides everything: it reads events, which calls on workers and other threads leave in a
queue.
"""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from buildlib import errors
from buildlib.commands.farm import jobs, pack, worker
from buildlib.commands.farm.answers import Wrong, accept
from buildlib.commands.farm.cluster import Cluster, Lost
from buildlib.commands.farm.crew import Crew, short
from buildlib.commands.farm.jobs import Job, Worker
from buildlib.commands.farm.settings import Settings
from buildlib.errors import BuildError
from buildlib.project.farm import Built
from buildlib.project.project import Project
from buildlib.remote.remarks import Remarks

_logger = logging.getLogger(__name__)

# How many workers may try one variant.
_TRIES = 3

# Seconds without an answer of the scheduler, after which the rest is built here.
_SILENCE = 60.0

# Seconds: between two looks at the cluster; without a worker for a job, such as one that starts
# again.
_LOOK, _PATIENCE = 1.0, 10.0


class Foreman:
    """The thread that decides. `manifest` is the one of all jobs, and `remarks` are for the end.

    Raises:
        FarmError: the scheduler does not answer.

    """

    def __init__(self, settings: Settings, project: Project) -> None:
        self._settings, self._project = settings, project
        self._cluster = Cluster(settings.address)
        self._session = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs: list[Job] = []
        self._waiting: list[Job] = []
        self._crew = Crew(self._cluster, settings.address, self._later)
        self._workers = self._crew.workers
        self._beat = time.monotonic()  # when the thread last decided something
        self.manifest = b""
        self.remarks = Remarks()
        self.is_closed = False

    def start(self) -> None:
        """Start the thread."""
        self._beat = time.monotonic()
        threading.Thread(target=self._work, daemon=True, name="farm").start()

    def add(self, job: Job) -> bool:
        """Take a job, unless the farm is gone."""
        with self._lock:
            if self.is_closed:
                return False
            self._jobs.append(job)
        self._later(self._waiting.append, job)
        return True

    def check_alive(self) -> None:
        """Give up all jobs if the scheduler has not answered for long."""
        if time.monotonic() - self._beat > min(_SILENCE, self._settings.timeout):
            self.give_up_all(TimeoutError("no answer"))

    def close(self) -> None:
        """Give up all that is not finished, and end the connection."""
        self.is_closed = True
        for job in self._jobs:
            if job.running is not None and not job.done.is_set():
                job.running.cancel()
        self._cluster.close(worker.forget, self._session)

    def meet(self) -> None:
        """Wait until all workers of the moment have introduced themselves, or time is up.

        Raises:
            FarmError: none can be used.

        """
        self._crew.meet(self._next)

    def _work(self) -> None:
        """Give out jobs until the run ends."""
        looked = 0.0
        while not self.is_closed:
            self._beat = time.monotonic()
            try:
                if any(not job.done.is_set() for job in list(self._jobs)):
                    if time.monotonic() - looked > _LOOK:
                        self._look()
                        looked = time.monotonic()
                    self._expire()
                    self._assign()
                self._next(_LOOK / 2)
            except Exception as error:  # noqa: BLE001 - the cluster's end, or a defect: build here
                if not self.is_closed:
                    self.give_up_all(error)

    def _next(self, seconds: float) -> None:
        """Handle the events of some seconds: the first one, and those that are there by then."""
        try:
            event = self._events.get(timeout=seconds)
            while True:
                event()
                event = self._events.get_nowait()
        except queue.Empty:
            pass

    def _look(self) -> None:
        """Find out which workers came and went."""
        for gone in self._crew.look():
            for job in list(gone.jobs):
                self._lose(gone, job)

    def _later(self, function: Callable[..., None], *arguments: object) -> None:
        """Leave a call to the thread that decides."""
        self._events.put(partial(function, *arguments))

    def _expire(self) -> None:
        """Use no worker any more on which a variant takes too long."""
        now = time.monotonic()
        for one in list(self._workers.values()):
            late = [job for job in one.jobs if now > job.deadline]
            if not late:
                continue
            names = ", ".join(job.variant.id for job in late)
            self._crew.refuse(one, f"did not build {names} within {self._settings.timeout:.0f} s")
            for job in list(one.jobs):
                self._retry(one, job)

    def _assign(self) -> None:
        """Give jobs to workers that can take one; give up those that none can take for long."""
        found = True
        while found:
            found = False
            for one in list(self._workers.values()):
                if job := jobs.choose(one, self._waiting, self._workers):
                    self._waiting.remove(job)
                    self._start(one, job)
                    found = True
        now = time.monotonic()
        for job in list(self._waiting):
            able = [
                one
                for address, one in self._workers.items()
                if one.is_usable and address not in job.tried and job.fits(one.machine)
            ]
            job.waits = 0.0 if able else job.waits or now
            if job.waits and now - job.waits > _PATIENCE:
                self._waiting.remove(job)
                self._give_up(job, _NO_ENGINE if job.is_contained else _NO_WORKER)

    def _start(self, one: Worker, job: Job) -> None:
        try:
            found = pack.contents(self._project, job.variant, self.manifest)
        except (BuildError, OSError) as error:
            self._give_up(job, _first_line(error))
            return
        folder = "git" if job.variant.function.gitignore else "all"
        known = one.known.setdefault(folder, set())
        content = pack.job(self._session, job.variant, job.key, found, known)
        one.note(job, self._settings.timeout)
        known.update(content["files"].values())
        ended = partial(self._later, self._ended, one, job)
        address = one.machine.address
        job.running = self._cluster.start(address, worker.build, content, job.needs, ended)

    def _ended(
        self, one: Worker, job: Job, answer: worker.Answer | None, error: BaseException | None
    ) -> None:
        """Take the answer of a worker."""
        if job not in one.jobs:  # it was given up there
            return
        address = one.machine.address
        if isinstance(error, Lost):
            self._lose(one, job)
        elif answer is None or "failure" in answer:
            failure = answer["failure"] if answer else short(error)
            self.remarks.add(f"farm worker {address} failed: {failure}", job.variant.id)
            self._retry(one, job)
        elif "missing" in answer:
            one.known.clear()
            one.jobs.remove(job)
            self._waiting.insert(0, job)
        elif "error" in answer:
            one.jobs.remove(job)
            text = str(answer["error"]).splitlines()[0]
            self._give_up(job, f"farm worker {address} could not build it: {text}")
        else:
            self._take(one, job, answer)

    def _take(self, one: Worker, job: Job, answer: dict[str, Any]) -> None:
        """Put the ZIP of an answer into the cache, if it is right."""
        try:
            accept(self._project, job.variant, job.key, answer)
        except Wrong as wrong:
            self._crew.refuse(one, f"gave a wrong ZIP for {job.variant.id}: {wrong}")
            for other in list(one.jobs):
                self._retry(one, other)
            return
        except (BuildError, OSError) as error:
            one.jobs.remove(job)
            self._give_up(job, _first_line(error))
            return
        one.jobs.remove(job)
        job.result = Built(
            one.machine.address,
            tuple(map(str, answer["notes"])),
            tuple((str(text), str(place)) for text, place in answer["doubts"]),
        )
        job.done.set()

    def _lose(self, one: Worker, job: Job) -> None:
        address = one.machine.address
        self.remarks.add(f"farm worker {address} ended while it built variants", job.variant.id)
        self._retry(one, job)

    def _retry(self, one: Worker, job: Job) -> None:
        """Let another worker try a job, or give it up after several."""
        one.jobs.remove(job)
        job.tried.add(one.machine.address)
        if job.running is not None:
            job.running.cancel()
        job.at, job.running = "", None
        if len(job.tried) >= _TRIES:
            self._give_up(job, f"{_TRIES} workers of the farm could not build it")
        else:
            self._waiting.insert(0, job)

    def _give_up(self, job: Job, why: str) -> None:
        self.remarks.add(f"{why}; built here", job.variant.id)
        job.done.set()

    def give_up_all(self, error: Exception) -> None:
        """Build the rest here: the scheduler is gone."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
            _logger.warning(
                "warning: the farm %s does not answer any more (%s); the rest is built here",
                self._settings.address,
                short(error),
            )
            for job in self._jobs:
                job.done.set()


def _first_line(error: BuildError | OSError) -> str:
    return errors.describe(error).splitlines()[0]


_NO_WORKER = "no worker of the farm is left for it"
_NO_ENGINE = (
    "no worker of the farm has the resources for its container: start one with --resources "
    "'docker=1', on an arm64 machine 'docker=1 arm64=1'"
)
