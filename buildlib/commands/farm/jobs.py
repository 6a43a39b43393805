"""The jobs of a farm, and which worker gets which of them.

Variants that share an environment go to the worker that has it, so it is installed and compressed
once. A worker without one takes an environment that nobody has, the one with the most variants
first; if there is none, it helps with the one that has the most variants left. So all workers are
busy until the end, and nothing is estimated.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from buildlib.commands.farm.cluster import Machine, Running
from buildlib.model import Variant
from buildlib.project.farm import Built

# The resources of Dask that describe a worker.
DOCKER, ARM64 = "docker", "arm64"


@dataclass(eq=False)
class Job:
    """A variant to build: its inputs by their keys, where it was tried, and its end."""

    variant: Variant
    key: str
    environment: str
    is_contained: bool  # whether it needs an engine: of its own, or for a layer
    tried: set[str] = field(default_factory=set)
    at: str = ""  # the worker that builds it now
    running: Running | None = None
    deadline: float = 0.0
    waits: float = 0.0  # since when no worker can take it
    result: Built | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def is_given_up(self) -> bool:
        """Whether it has to be built here."""
        return self.done.is_set() and self.result is None

    @property
    def needs(self) -> dict[str, int]:
        """The resources that it uses up while it is built."""
        return {DOCKER: 1} if self.is_contained else {}

    def fits(self, machine: Machine) -> bool:
        """Tell whether a worker can build it: containers are not emulated."""
        if not self.is_contained:
            return True
        is_arm64 = self.variant.architecture == "arm64"
        return machine.resources.get(DOCKER, 0) >= 1 and (ARM64 in machine.resources) == is_arm64


@dataclass(eq=False)
class Worker:
    """A worker that was looked at: whether it may be used, its job, and its environments."""

    machine: Machine
    is_usable: bool = False
    jobs: list[Job] = field(default_factory=list)
    environments: dict[str, None] = field(default_factory=dict)  # the last one last
    known: dict[str, set[str]] = field(default_factory=dict)  # contents, by kind of folder

    def can_take(self, job: Job) -> bool:
        """Tell whether it may start a job, if it has a free thread."""
        if self.machine.address in job.tried or not job.fits(self.machine):
            return False
        contained = sum(one.is_contained for one in self.jobs)
        return not job.is_contained or contained < self.machine.resources[DOCKER]

    def note(self, job: Job, timeout: float) -> None:
        """Note that it starts a job."""
        self.jobs.append(job)
        self.environments.pop(job.environment, None)
        self.environments[job.environment] = None
        job.at, job.waits, job.deadline = self.machine.address, 0.0, time.monotonic() + timeout


def choose(worker: Worker, waiting: Iterable[Job], workers: Mapping[str, Worker]) -> Job | None:
    """Return the next job of a worker; None if it can take none."""
    if not worker.is_usable or len(worker.jobs) >= worker.machine.threads:
        return None
    by_environment: dict[str, list[Job]] = {}
    for job in waiting:
        if worker.can_take(job):
            by_environment.setdefault(job.environment, []).append(job)
    if not by_environment:
        return None
    for environment in reversed(worker.environments):
        if environment in by_environment:
            return by_environment[environment][0]
    taken = {key for one in workers.values() if one.is_usable for key in one.environments}
    free = {key: jobs for key, jobs in by_environment.items() if key not in taken}
    return max((free or by_environment).values(), key=len)[0]
