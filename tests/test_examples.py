"""The example functions of this repository, built from committed locks with the real index."""

import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Repository
from tests.test_reproducible import interpreters

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden.json"

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def engine() -> Iterator[socket.socket]:
    """Give a socket at the engine's address that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory, engine: socket.socket) -> Repository:
    """Build a clone of the examples, as a CI runner would."""
    root = tmp_path_factory.mktemp("examples") / "clone"
    root.mkdir()
    for name in ("lambdas.yaml", "dodo.py"):
        shutil.copy(ROOT / name, root)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lambdas", root / "lambdas", ignore=ignored)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    address = "tcp://{}:{}".format(*engine.getsockname())
    repository = Repository(root, environment | {"CI": "true", "DOCKER_HOST": address})
    repository.doit("-n", "2", "-P", "process")
    return repository


def test_golden_bytes_of_the_examples(examples: Repository) -> None:
    """A fresh clone gives the committed sha256 for every example, Python and architecture."""
    assert examples.sha256() == json.loads(GOLDEN.read_text())


def test_no_engine_is_asked(examples: Repository, engine: socket.socket) -> None:
    """The quick start gives the same result with and without an engine, and connects to none."""
    assert examples.index()
    with pytest.raises(BlockingIOError):
        engine.accept()


def test_the_build_leaves_the_clone_as_it_is(examples: Repository) -> None:
    """A build changes no file of the clone; it uses the committed locks."""
    for path in (ROOT / "lambdas").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (examples.root / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_sha256sum_accepts_the_checksums(examples: Repository) -> None:
    """`sha256sum -c dist/*.sha256` passes from the repository's root."""
    names = [str(path.relative_to(examples.root)) for path in examples.root.glob("dist/*.sha256")]
    subprocess.run(["sha256sum", "-c", "--quiet", *names], cwd=examples.root, check=True)


def test_no_address_in_the_locks(examples: Repository) -> None:
    """The committed locks contain no index address and no path of any machine."""
    for lock in examples.root.glob("lambdas/*/requirements.lock"):
        lines = lock.read_text().splitlines()
        text = "\n".join(line for line in lines if not line.startswith("# image: "))
        assert "http" not in text
        assert "/" not in text.replace("://", "")


def test_the_handlers_import_on_lambdas_python(examples: Repository, tmp_path: Path) -> None:
    """Each x86_64 ZIP for Python 3.13, unpacked on its own, can be imported by CPython 3.13."""
    found = [python for python in interpreters() if _version(python) == (3, 13)]
    if not found:
        assert "CI" not in os.environ, "CI must have a Python 3.13"
        pytest.skip("there is no Python 3.13 on this machine")
    imported = 0
    for variant_id, entry in examples.index().items():
        if (entry["runtime"], entry["architecture"]) != ("python3.13", "x86_64"):
            continue
        folder = tmp_path / variant_id
        with zipfile.ZipFile(examples.root / entry["path"]) as archive:
            archive.extractall(folder)
        module, _, function = entry["handler"].rpartition(".")
        program = f"import {module}; assert callable({module}.{function})"
        # As in Lambda: the folder comes first, no other packages exist, and nothing is writable.
        done = subprocess.run(
            [found[0], "-I", "-S", "-B", "-c", f"import sys; sys.path.insert(0, '.'); {program}"],
            cwd=folder,
            env={"PATH": os.defpath, "AWS_REGION": "eu-central-1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{variant_id}: {done.stderr}"
        imported += 1
    assert imported == 4


def _version(python: str) -> tuple[int, int]:
    if python == sys.executable:
        return sys.version_info[:2]
    program = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    major, minor = map(int, done.stdout.split())
    return (major, minor)
