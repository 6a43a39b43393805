"""A signal ends a run and all of its processes, with a message and an exit code that say so."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Repository
from tests.test_interrupted import MARKS, heavy, truthful

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")

__all__ = ["heavy"]

_NAMES = ("zip:api", "hash:api", "zip:jobs")
MODES = {
    "one": ("doit", "-n", "0", *_NAMES),
    "processes": ("doit", "-n", "2", "-P", "process", *_NAMES),
    "threads": ("doit", "-n", "2", "-P", "thread", *_NAMES),
    "lambdas": ("buildlib", "build", "api", "jobs"),
}


def of_session(session: int) -> dict[int, str]:
    """Return the processes of a session, with their commands."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            *_, rest = (folder / "stat").read_text().rpartition(")")
            if rest.split()[0] != "Z" and int(rest.split()[3]) == session:
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return found


def stop_at(repository: Repository, mark: str, mode: str, sign: int) -> tuple[int, str]:
    """Send a signal to doit alone when a mark exists; return its exit code and its output.

    Check that no process of its session is left, and that nobody holds its output open.
    """
    # A shell without job control lets its background jobs, and their children, ignore two signals.
    reset = ["env", "--default-signal=INT,QUIT"]
    process = subprocess.Popen(
        [*reset, repository.python, "-m", *MODES[mode]],
        cwd=repository.root,
        env=repository.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not next(repository.root.glob(MARKS[mark]), None):
        time.sleep(0.001)
    assert process.poll() is None, process.communicate()[0]
    os.kill(process.pid, sign)
    output, _ = process.communicate(timeout=10)
    deadline = time.monotonic() + 5
    while (left := of_session(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"{left}\n{output}"
    return process.returncode, output


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"])
def test_a_signal_ends_all(heavy: Repository, name: str, mode: str) -> None:
    """Each signal ends the run and its workers, says so, and the next run goes on."""
    sign = getattr(signal, name)
    code, output = stop_at(heavy, "compression", mode, sign)
    assert code == 128 + sign, output
    assert "Traceback" not in output
    assert re.search(
        r"^(Interrupted|Stopped by SIG\w+)\. Finished work is kept", output, re.MULTILINE
    )
    truthful(heavy)
    heavy.doit()
    heavy.sha256()


@pytest.mark.parametrize("mode", ["processes"])
def test_workers_end_with_their_parent(heavy: Repository, mode: str) -> None:
    """After `kill -9` of the parent, its workers end too, and release its output."""
    code, _ = stop_at(heavy, "venv", mode, signal.SIGKILL)
    assert code == -signal.SIGKILL
    truthful(heavy)
    heavy.doit()
    heavy.sha256()


def test_an_ignored_signal_stays_ignored(heavy: Repository) -> None:
    """Under nohup, SIGHUP does not end a run."""
    code = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    code += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    heavy.environment["LANG"] = "C.UTF-8"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-m", "doit", "zip:api"],
        cwd=heavy.root,
        env=heavy.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not next(heavy.root.glob(MARKS["venv"]), None):
        time.sleep(0.001)
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
