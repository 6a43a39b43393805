"""The farm of a run: it has the jobs of the variants, for which the tasks of the run wait."""

import logging
import os
import threading
from collections.abc import Iterable

from buildlib import progress
from buildlib.commands.farm import pack
from buildlib.commands.farm.foreman import Foreman
from buildlib.commands.farm.jobs import Job
from buildlib.commands.farm.settings import Settings
from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.farm import Built
from buildlib.project.project import Project

_logger = logging.getLogger(__name__)


class Farm:
    """A farm that builds variants of one run. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._expected: tuple[Variant, ...] = ()
        self._foreman: Foreman | None = None

    def __reduce__(self) -> tuple[type["Farm"], tuple[Settings]]:
        """Leave the connection here when doit sends a task to another process."""
        return Farm, (self._settings,)

    def expect(self, project: Project, variants: Iterable[Variant]) -> None:
        """Connect if variants have to be built, which are all that this run may build.

        Raises:
            FarmError: the scheduler does not answer, or no worker can be used.

        """
        self._project, self._expected = project, tuple(variants)
        if any(map(self._is_pending, self._expected)):
            self._foreman = Foreman(self._settings, project)
            self._foreman.meet()
            self._foreman.start()

    def builds(self, variant: Variant) -> bool:
        """Tell whether the farm builds the present inputs of a variant."""
        if (foreman := self._here) is None:
            return False
        with self._lock:
            if expected := self._expected:
                self._expected = ()
                foreman.manifest = pack.manifest(self._project, expected)
                for one in expected:
                    if self._is_pending(one, for_farm=True):
                        self._job(foreman, one)
            return not self._job(foreman, variant).is_given_up

    def wait(self, variant: Variant) -> Built | None:
        """Wait for a ZIP, which is then in the cache; None if it has to be built here."""
        foreman, job = self._here, self._jobs.get(variant.id)
        if not foreman or not job or job.key != self._project.inputs(variant).key:
            return None
        while not job.done.wait(0.5):
            foreman.check_alive()
            progress.update(f"on {job.at}" if job.at else "waiting for a worker of the farm")
        return job.result

    def finish(self) -> None:
        """Log the remarks of a run, each once."""
        if (foreman := self._here) is not None:
            for remark in foreman.remarks.take():
                _logger.warning("warning: %s", remark)

    def close(self) -> None:
        """Give up all that is not finished, and end the connection."""
        if (foreman := self._here) is not None:
            foreman.close()

    @property
    def _here(self) -> Foreman | None:
        """The foreman, whose thread lives in one process."""
        return self._foreman if self._pid == os.getpid() else None

    def _is_pending(self, variant: Variant, *, for_farm: bool = False) -> bool:
        """Tell whether nothing on this machine has the ZIP; for the farm, nor has the remote."""
        project = self._project
        try:
            if for_farm and any(map(project.lock_problem, project.with_layers(variant.function))):
                return False  # its lockfile is made first
            status = project.status(variant)
            is_here = status.written is not None or status.stored
            return not is_here and not (for_farm and project.remote.has(variant))
        except (BuildError, OSError):  # its own steps say so
            return not for_farm

    def _job(self, foreman: Foreman, variant: Variant) -> Job:
        inputs = self._project.inputs(variant)
        job = self._jobs.get(variant.id)
        if job is None or job.key != inputs.key:
            functions = self._project.with_layers(variant.function)
            contained = any(one.docker is not None for one in functions)
            job = Job(variant, inputs.key, inputs.environment_key, contained)
            self._jobs[variant.id] = job
            if not foreman.add(job):
                job.done.set()
        return job
