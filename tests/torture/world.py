"""The world of a trial: a repository, its package index, its caches, and what is right."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import HANDLER, Index

TIMEOUT = 120

MANIFEST = """\
version: 1
defaults:
  python: "3.13"
lambdas:
  api:
    handler: app.handler
  jobs:
    handler: app.handler
    include: [shared/common]
    architecture: [x86_64, arm64]
  plain:
    handler: app.handler
"""

# With PAUSE_AT a process waits before that function until the file PAUSE_AT.go exists.
_DODO = """\
import importlib, os, time
from pathlib import Path
from buildlib.tasks import *

def pause(original, mark):
    def paused(*arguments, **options):
        if not Path(f"{mark}.reached").exists():
            Path(f"{mark}.reached").touch()
            end = time.monotonic() + 60
            while not Path(f"{mark}.go").exists() and time.monotonic() < end:
                time.sleep(0.005)
        return original(*arguments, **options)
    return paused

if "PAUSE_AT" in os.environ:
    place, function = os.environ["PAUSE_AT"].split(":")
    owner = importlib.import_module(f"buildlib.{place}")
    *names, last = function.split(".")
    for name in names:
        owner = getattr(owner, name)
    setattr(owner, last, pause(getattr(owner, last), os.environ["PAUSE_MARK"]))
"""

FILES = {
    "dodo.py": _DODO,
    "lambdas.yaml": MANIFEST,
    "lambdas/api/app.py": HANDLER,
    "lambdas/api/requirements.txt": "beta\n",
    "lambdas/jobs/app.py": HANDLER,
    "lambdas/jobs/requirements.txt": "alpha\ngamma\n",
    "lambdas/plain/app.py": HANDLER,
    "lambdas/plain/data/table.csv": "1,2\n" * 500,
    "shared/common/__init__.py": "C = 1\n",
}


class ViolationError(AssertionError):
    """A rule that did not hold."""


@dataclass
class Done:
    """The exit code and the output of a run; the code is negative if a signal ended it."""

    code: int
    output: str


def publish(index: Index) -> None:
    """Publish the distributions of the world."""
    many = {f"gamma/m{number:03}.py": f"M = {number}\n" * 9 for number in range(60)}
    index.add("alpha", files={"alpha/__init__.py": "A = 1\n", "alpha/data.txt": "alpha " * 2000})
    index.add("beta", files={"beta.py": "B = 1\n"}, requires=("alpha",))
    index.add("gamma", files=many | {"gamma/__init__.py": ""}, requires=("delta",))
    index.add("delta", files={"delta/__init__.py": "D = 1\n", "delta/d.bin": os.urandom(9000)})


@dataclass
class World:
    """A folder with `repository/` and `cache/`, uv's; `right` are the sha256 by path in dist/."""

    folder: Path
    index: Index
    right: Mapping[str, str]

    @property
    def root(self) -> Path:
        """The repository."""
        return self.folder / "repository"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a run, without the user's settings."""
        home = self.folder / "home"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(self.folder / "tmp"),
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(self.folder / "cache"),
            "UV_HTTP_RETRIES": "0",
            "UV_INDEX_URL": self.index.url,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def copy(self, folder: Path) -> "World":
        """Return a copy of the world in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return World(folder, self.index, self.right)

    def run(self, *arguments: str, under: Sequence[str] = (), **variables: str) -> Done:
        """Run doit, perhaps `under` another program."""
        process = subprocess.Popen(
            [*under, sys.executable, "-m", "doit", *arguments],
            cwd=self.root,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            output, _ = process.communicate()
            msg = f"did not end in {TIMEOUT} s\n{output}"
            raise ViolationError(msg) from None
        return Done(process.returncode, output)

    @contextlib.contextmanager
    def paused(self, point: str, name: str) -> Iterator[Callable[[], Done]]:
        """Run doit until it reaches a function; yield what lets it go on, and waits for its end.

        A run that does not reach it has ended by then.
        """
        mark = self.folder / name
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(self.run, PAUSE_AT=point, PAUSE_MARK=str(mark))
            end = time.monotonic() + 5  # it may wait for a lock of another paused process
            while not job.done() and not Path(f"{mark}.reached").exists():
                if time.monotonic() > end:
                    break
                time.sleep(0.005)

            def finish() -> Done:
                Path(f"{mark}.go").touch()
                return job.result()

            try:
                yield finish
            finally:
                finish()

    def dist(self) -> dict[str, str]:
        """Return the sha256 of each file in dist/."""
        paths = sorted((self.root / "dist").glob("**/*")) if (self.root / "dist").is_dir() else []
        return {
            path.relative_to(self.root / "dist").as_posix(): hashlib.sha256(
                path.read_bytes()
            ).hexdigest()
            for path in paths
            if path.is_file()
        }

    def wrong(self) -> list[str]:
        """Return how dist/ differs from what is right."""
        found = self.dist()
        return sorted(
            name for name in {*found, *self.right} if found.get(name) != self.right.get(name)
        )

    def check(self, done: Done) -> None:
        """Check the rules for a run under damage: it is right, or it failed and says so."""
        # Python itself and doit may fail to start, which nobody can catch.
        is_ours = re.search(r'File ".*/buildlib/', done.output)
        if "Traceback (most recent call last)" in done.output and is_ours:
            msg = f"a traceback\n{done.output}"
            raise ViolationError(msg)
        if done.code == 0 and (wrong := self.wrong()):
            msg = f"exit code 0 with wrong {wrong}\n{done.output}"
            raise ViolationError(msg)
        self.check_consistent()

    def check_consistent(self) -> None:
        """Check that each description in dist/ is of the ZIP beside it."""
        try:
            index = json.loads((self.root / "dist/lambdas.json").read_bytes())
        except (OSError, ValueError):
            index = {}
        for name, entry in index.items() if isinstance(index, dict) else ():
            if not isinstance(entry, dict) or "sha256" not in entry or entry.get("stale"):
                continue
            path = self.root / "dist" / f"{name}.zip"
            if path.is_file() and (found := _sha256(path)) != entry["sha256"]:
                msg = f"lambdas.json has {entry['sha256'][:9]} for {name}, its ZIP is {found[:9]}"
                raise ViolationError(msg)

    def check_heals(self, *, runs: int = 1) -> None:
        """Check that the next run succeeds with the right bytes, and that one more is idle."""
        for _ in range(runs):
            done = self.run()
        if done.code or (wrong := self.wrong()):
            msg = f"does not heal: exit code {done.code}, wrong {self.wrong()}\n{done.output}"
            raise ViolationError(msg)
        idle = self.run()
        if idle.code or any(line.startswith(".  ") for line in idle.output.splitlines()):
            msg = f"not idle afterwards\n{idle.output}"
            raise ViolationError(msg)
        if wrong := self.wrong():
            msg = f"wrong {wrong} afterwards\n{idle.output}"
            raise ViolationError(msg)


def make(folder: Path) -> World:
    """Return a world of which everything is built."""
    index = Index()
    publish(index)
    world = World(folder, index, {})
    for name in ("home", "tmp", "repository"):
        (folder / name).mkdir(parents=True)
    for path, content in FILES.items():
        target = world.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    done = world.run()
    if done.code:
        raise ViolationError(done.output)
    world.run()  # notes the fingerprints
    world.right = world.dist()
    return world


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path
