"""Kills and races: finished work is found again, and dist/ never lies."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlib.tree import metadata
from tests.conftest import HANDLER, Index, Repository

_NOISE = random.Random(4).randbytes(1 << 20)  # noqa: S311 - the same in every run


@pytest.fixture
def heavy(dependent: Repository, index: Index) -> Repository:
    """Give a repository whose steps each take long enough to be killed."""
    files = {f"heavy/m{n:04}.py": _NOISE[n : n + 9000] * 4 for n in range(1200)}
    index.add("heavy", files=files)
    dependent.write({"lambdas/api/requirements.txt": "heavy\n"})
    dependent.doit("lock")
    return dependent


def _touched(root: Path) -> bool:
    """Tell whether the step `touch` is done."""
    return metadata.is_touched(root / "build/stage/api")


# The existence of these paths shows that a step is running or has just finished.
MARKS = {
    "venv": "build/env/.*.tmp",
    "venv, normalising": "build/env/*/tree/heavy/m1199.py",
    "venv, done": "build/env/*/record.json",
    "stage": "build/stage/api/heavy",
    "stage, done": "build/stage/api.json",
    "compression": "build/cache/packs-v1/*/.*.tmp",
    "compression, done": "build/cache/packs-v1/*/*.pack",
    "zip": "dist/.api.zip.tmp",
    "zip, done": "dist/api.zip",
    "hash": "dist/api.zip.sha256",
    "index": "dist/lambdas.json",
}
EVERY_MARK: dict[str, str | Callable[[Path], bool]] = {**MARKS, "touch, done": _touched}


def kill_at(
    repository: Repository, mark: str | Callable[[Path], bool], sign: signal.Signals
) -> bool:
    """Run `doit`, kill it with all its children at a mark, and tell if it did.

    A mark is a pattern, of which a path has to exist, or a function of the root.
    """
    process = subprocess.Popen(
        repository.command("-n", "0", "zip:api", "hash:api"),
        cwd=repository.root,
        env=repository.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        is_there = mark(repository.root) if callable(mark) else any(repository.root.glob(mark))
        if is_there:
            os.killpg(process.pid, sign)
            process.wait()
            return True
    process.wait()
    return False


def truthful(repository: Repository) -> None:
    """Check that every description of a ZIP matches the ZIP in dist/."""
    path = repository.root / "dist/lambdas.json"
    index = json.loads(path.read_text()) if path.exists() else {}
    for checksum in repository.root.glob("dist/*.sha256"):
        expected, name = checksum.read_text().split()
        content = (repository.root / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == expected
    for entry in (entry for entry in index.values() if "path" in entry):
        content = (repository.root / entry["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("mark", EVERY_MARK)
def test_kill_and_run_again(heavy: Repository, mark: str) -> None:
    """After `kill -9` at any step, dist/ is consistent and the next run gives the right bytes."""
    while not kill_at(heavy, EVERY_MARK[mark], signal.SIGKILL):  # it came to its end first
        heavy.doit("clean")
    truthful(heavy)
    heavy.doit()
    after = heavy.sha256()["api"]
    assert heavy.doit().ran == []
    heavy.doit("clean")
    heavy.doit()
    assert heavy.sha256()["api"] == after


@pytest.mark.parametrize("mark", ["compression", "zip", "zip, done"])
def test_kill_during_a_rebuild(heavy: Repository, mark: str) -> None:
    """A killed rebuild leaves the earlier ZIP or the new one, with or without its description."""
    heavy.doit("zip:api")
    shutil.rmtree(heavy.root / "build/cache")
    heavy.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    if mark == "compression":
        # With its record the earlier ZIP would lend its members, and nothing would be compressed.
        (heavy.root / "build/zip/api.json").unlink()
    if mark == "zip, done":
        (heavy.root / "dist/api.zip").unlink()
    assert kill_at(heavy, MARKS[mark], signal.SIGKILL)
    truthful(heavy)
    heavy.doit()
    assert b"edited" in heavy.members("api")["app.py"]
    heavy.sha256()


def test_what_was_finished_is_not_done_again(heavy: Repository) -> None:
    """If a run is killed after the installation, the next run does not install again."""
    assert kill_at(heavy, MARKS["stage"], signal.SIGKILL)
    assert "venv:api" not in heavy.doit("zip:api").ran


def test_interrupt_from_the_keyboard(heavy: Repository) -> None:
    """Ctrl-C leaves nothing that breaks the next run."""
    assert kill_at(heavy, MARKS["compression"], signal.SIGINT)
    truthful(heavy)
    heavy.doit()
    heavy.sha256()


def test_two_at_once(heavy: Repository) -> None:
    """Two runs in one checkout, even without a lock, both succeed with the right bytes."""
    log = heavy.root / "build/logs/lock-api.log"
    once = log.read_text().count("$ uv")
    (heavy.root / "lambdas/api/requirements.lock").unlink()
    runs = [
        subprocess.Popen(
            heavy.command(),
            cwd=heavy.root,
            env=heavy.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    for run in runs:
        output, _ = run.communicate(timeout=120)
        assert run.returncode == 0, output
        assert "Traceback" not in output
    after = heavy.sha256()
    assert log.read_text().count("$ uv") == once  # one of them made the lock
    assert heavy.doit().ran == []
    heavy.doit("clean")
    heavy.doit()
    assert heavy.sha256() == after


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x80\x03"])
def test_a_damaged_state_of_doit(repository: Repository, content: bytes) -> None:
    """A doit state truncated by a crash is ignored without a message, and nothing is rebuilt."""
    repository.doit()
    (repository.root / "build/.doit.json").write_bytes(content)
    assert repository.doit().ran == []


@pytest.mark.parametrize("record", ["zip/api.json", "stage/api.json", "digests.json"])
def test_a_damaged_record(repository: Repository, record: str) -> None:
    """A stamp truncated by a crash is written again."""
    repository.doit()
    before = repository.sha256()
    path: Path = repository.root / "build" / record
    path.write_bytes(b"{")
    repository.doit()
    assert repository.sha256() == before
