"""Each input has a limit on time and memory, or is read within both."""

import json
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Index, Repository

MEMORY = 400  # MB
SECONDS = 60

FUNCTION = "  f{0}:\n    handler: app.handler\n    source: lambdas/api\n"
HEAD = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def _long_text(repository: Repository, _: Index) -> None:
    repository.write({"lambdas.yaml": HEAD + f"    description: {'x' * 10_000_000}\n"})


def _comments(repository: Repository, _: Index) -> None:
    repository.write({"lambdas.yaml": HEAD + "# a comment\n" * 800_000})


def _many_functions(repository: Repository, _: Index) -> None:
    functions = "".join(FUNCTION.format(n) for n in range(150_000))  # 10 MB
    repository.write({"lambdas.yaml": HEAD + functions})


def _deep_manifest(repository: Repository, _: Index) -> None:
    repository.write({"lambdas.yaml": HEAD + "    x: " + "[" * 1_000_000})


def _wide_manifest(repository: Repository, _: Index) -> None:
    names = ", ".join(f"f{n}" for n in range(200_000))  # just below the limit
    repository.write({"lambdas.yaml": HEAD + f"    exclude: [{names}]\n"})


def _many_requirements(repository: Repository, _: Index) -> None:
    hashes = " ".join(f"--hash=sha256:{n:064x}" for n in range(10))
    lines = "".join(f"package-{n}==1.0 {hashes}\n" for n in range(1_200))  # just below the limit
    repository.write({"lambdas/api/requirements.txt": lines})


def _long_requirement(repository: Repository, _: Index) -> None:
    repository.write({"lambdas/api/requirements.txt": "alpha" + "[a]" * 3_000_000})


def _big_lock(repository: Repository, index: Index) -> None:
    index.add("alpha")
    repository.write({"lambdas/api/requirements.txt": "alpha\n"})
    repository.doit("lock:api", "--upgrade")
    path = repository.root / "lambdas/api/requirements.lock"
    path.write_text(path.read_text() + "".join(f"p{n}==1.0\n" for n in range(800_000)))


def _big_index(repository: Repository, _: Index) -> None:
    repository.doit()
    big = {f"f{n}": {"sha256": "0" * 64, "size": n} for n in range(20_000)}
    (repository.root / "dist/lambdas.json").write_text(json.dumps(big))


def _big_record(repository: Repository, _: Index) -> None:
    repository.doit()
    for path in (repository.root / "build").rglob("*.json"):
        path.write_text(json.dumps({"sha256": "0" * 64, "record": ["x" * 9] * 1_000_000}))


def _big_hashes(repository: Repository, _: Index) -> None:
    big = {"version": 1, "lambdas": {f"f{n}": {"0" * 64: "0" * 64} for n in range(150_000)}}
    repository.write({"lambdas.hashes.json": json.dumps(big)})


def _many_files(repository: Repository, _: Index) -> None:
    for folder in range(100):
        (repository.root / f"lambdas/api/d{folder}").mkdir()
        for number in range(300):
            (repository.root / f"lambdas/api/d{folder}/{number}.txt").write_text(f"{number}\n")


def _big_file(repository: Repository, _: Index) -> None:
    with (repository.root / "lambdas/api/data.bin").open("wb") as stream:
        for _unused in range(140):
            stream.write(os.urandom(1 << 20))


def _too_big_file(repository: Repository, _: Index) -> None:
    with (repository.root / "lambdas/api/data.bin").open("wb") as stream:
        stream.truncate(5_000_000_000)


def _big_module(repository: Repository, _: Index) -> None:
    lines = "".join(f"A{n} = [{n}, '{n}']\n" for n in range(80_000))  # 2 MB
    repository.write({"lambdas/api/app.py": HANDLER + lines})


def _huge_module(repository: Repository, _: Index) -> None:
    lines = "".join(f"A{n} = [{n}, '{n}']\n" for n in range(400_000))  # 11 MB
    repository.write({"lambdas/api/app.py": HANDLER + lines})


def _deep_module(repository: Repository, _: Index) -> None:
    repository.write({"lambdas/api/app.py": HANDLER + "X = " + "(" * 100_000})


def _one_line(repository: Repository, _: Index) -> None:
    noise = random.Random(1).randbytes(10_000_000).hex()  # noqa: S311 - the same each time
    repository.write({"lambdas/api/data.txt": f"aws_secret_access_key = {noise}"})


def _many_rows(repository: Repository, index: Index) -> None:
    index.add("alpha", files={f"alpha/m{n}.py": "" for n in range(40_000)})
    repository.write({"lambdas/api/requirements.txt": "alpha\n"})


def _bomb(repository: Repository, index: Index) -> None:
    index.add("alpha", files={"alpha/zeros": bytes(600_000_000)})
    repository.write({"lambdas/api/requirements.txt": "alpha\n"})


INPUTS: dict[str, Callable[[Repository, Index], None]] = {
    function.__name__[1:].replace("_", " "): function
    for function in (
        *(_long_text, _comments, _many_functions, _deep_manifest, _wide_manifest),
        *(_many_requirements, _long_requirement, _big_lock, _big_index, _big_record, _big_hashes),
        *(
            _many_files,
            _big_file,
            _too_big_file,
            _big_module,
            _huge_module,
            _deep_module,
            _one_line,
        ),
        *(_many_rows, _bomb),
    )
}


# The peak of a process includes that of the one it was forked from, so a small one starts it.
_LAUNCH = """\
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
print(os.wait4(process.pid, 0)[2].ru_maxrss >> 10, file=sys.stderr)
"""


def peak(command: list[str], repository: Repository) -> tuple[int, float, str]:
    """Run a command; return its peak memory in MB, its seconds and its output."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _LAUNCH, *command],
        cwd=repository.root,
        env=repository.environment,
        capture_output=True,
        check=True,
        timeout=5 * SECONDS,
    )
    return int(done.stderr), time.monotonic() - began, done.stdout.decode(errors="replace")


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_memory_and_time(repository: Repository, index: Index, name: str) -> None:
    """A huge input is built or refused in 60 s and 400 MB, without a traceback."""
    repository.environment["UV_INDEX_URL"] = index.url
    INPUTS[name](repository, index)
    memory, seconds, output = peak(repository.command(), repository)
    assert "Traceback" not in output
    assert "defect" not in output
    assert memory < MEMORY, output[-2000:]
    assert seconds < SECONDS, output[-2000:]


@pytest.mark.slow
def test_diff(repository: Repository, tmp_path: Path) -> None:
    """Two ZIPs of the size that Lambda takes are compared in 400 MB."""
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("big", random.Random(name).randbytes(48_000_000))  # noqa: S311 - not for secrets
    command = [
        *(repository.python, "-m", "buildlib", "diff"),
        *(str(tmp_path / "a.zip"), str(tmp_path / "b.zip")),
    ]
    memory, seconds, output = peak(command, repository)
    assert memory < MEMORY, output
    assert seconds < SECONDS, output
