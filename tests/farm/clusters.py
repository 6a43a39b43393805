"""A Dask cluster of processes: `dask scheduler`, and workers, of which some do harm."""

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Process:
    """A process of a cluster, its address, and its log."""

    popen: subprocess.Popen[bytes]
    address: str
    log: Path

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, and to all processes that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGCONT)
        self.send(signal.SIGKILL)
        self.popen.wait()


@dataclass
class Cluster:
    """A scheduler, and the workers that were started for it."""

    folder: Path
    environment: dict[str, str]
    options: tuple[str, ...] = ()  # of all processes, such as those of TLS
    started: list[Process] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.started[0].address

    def scheduler(self) -> "Cluster":
        """Start the scheduler."""
        self._start(["scheduler", "--host", "127.0.0.1", "--port", "0"], "Scheduler at:")
        return self

    def worker(self, *options: str, preload: str = "", **variables: str) -> Process:
        """Start a worker of one thread; `preload` is code that it runs first."""
        if preload:
            path = self.folder / f"preload-{len(self.started)}.py"
            path.write_text(preload)
            options = ("--preload", str(path), *options)
        place = ["--local-directory", str(self.folder / f"worker {len(self.started)}")]
        command = ["worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", *place]
        return self._start([*command, *options], "Start worker at:", variables)

    def _start(
        self, command: list[str], sign: str, variables: Mapping[str, str] | None = None
    ) -> Process:
        log = self.folder / f"{len(self.started)}.log"
        if command[0] == "worker" and "--nanny" not in command:
            command = [*command, "--no-nanny"]
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", "dask", *command, "--no-dashboard", *self.options],
                env={**self.environment, **(variables or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(popen, "", log)
        self.started.append(process)
        until(lambda: popen.poll() is not None or re.search(sign, log.read_text()), 60)
        found = re.search(rf"{sign}\s+(\S+)", log.read_text())
        assert found, log.read_text()
        process.address = found[1]
        if command[0] == "worker":
            until(lambda: "Registered to" in log.read_text(), 60)
        return process

    def tasks(self) -> int:
        """Return how many tasks the scheduler has."""
        code = (
            "import sys, json, distributed\n"
            "client = distributed.Client(sys.argv[1], timeout=10)\n"
            "count = lambda dask_scheduler: len(dask_scheduler.tasks)\n"
            "print(json.dumps(client.run_on_scheduler(count)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, self.address],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return int(json.loads(done.stdout))

    def stop(self) -> None:
        for process in reversed(self.started):
            process.kill()


@contextlib.contextmanager
def cluster(
    folder: Path, environment: dict[str, str], options: tuple[str, ...] = ()
) -> Iterator[Cluster]:
    """Give a scheduler without workers, and end all processes afterwards."""
    if importlib.util.find_spec("distributed") is None:
        assert not os.environ.get("CI"), "CI needs distributed"
        pytest.skip("distributed is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    found = Cluster(folder, environment, options)
    try:
        yield found.scheduler()
    finally:
        found.stop()


def until(condition: object, seconds: float = 30) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.05)
