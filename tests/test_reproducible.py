"""The same bytes, wherever, whenever and with whatever Python the build runs."""

import functools
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.conftest import Index, Repository

ROOT = Path(__file__).parent.parent

# For the repository below, version 1 of the byte contract (see tests/test_archive.py).
GOLDEN = {
    "api": "f059d8ed927ed30bc16be456e1d7fa8084b73488a88f1f6f81968ba977fb3622",
    "jobs-py3.12-x86_64": "ccd9f6ee836fa8f7bc7da23ab31d5a7197c5a563800404be79bc7b8583bc4f6a",
    "jobs-py3.13-x86_64": "ccd9f6ee836fa8f7bc7da23ab31d5a7197c5a563800404be79bc7b8583bc4f6a",
}


def interpreters() -> list[str]:
    """Return every Python from 3.11 up on this machine, starting with this one."""
    found = {sys.version_info[:2]: sys.executable}
    names = [f"python3.{minor}" for minor in range(11, 20)]
    candidates = [shutil.which(name) for name in names]
    candidates += map(str, Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python3"))
    for candidate in filter(None, candidates):
        program = "import sys; print(*sys.version_info[:2])"
        done = subprocess.run(
            [candidate, "-c", program], capture_output=True, text=True, check=False
        )
        if not done.returncode:
            major, minor = map(int, done.stdout.split())
            found.setdefault((major, minor), candidate)
    return [found[version] for version in sorted(found)]


@pytest.fixture
def source(dependent: Repository, index: Index) -> Repository:
    """Give a repository with every kind of content: names, modes, links, dependencies, data."""
    noise = random.Random(3)  # noqa: S311 - the same on every machine
    index.add(
        "zeta",
        files={
            "zeta/__init__.py": "Z = 1\n",
            "zeta/__pycache__/old.cpython-39.pyc": b"stray bytecode",
            "zeta/lib.so": noise.randbytes(3000) + bytes(30_000),
            "zeta-1.0.data/scripts/zeta": "#!python\nprint('zeta')\n",
            "zeta-1.0.dist-info/entry_points.txt": "[console_scripts]\nz = zeta:main\n",
        },
    )
    dependent.write({
        "lambdas/api/requirements.txt": "beta\n-r base.txt\n",
        "lambdas/api/base.txt": "zeta\n",
        "lambdas/api/na\u00efve \u6587.txt": "text\n" * 100,
        "lambdas/api/deep/er/and/deeper/x.json": "{}",
        "lambdas/api/run.sh": "#!/bin/sh\n",
        "lambdas/api/table.bin": noise.randbytes(100_000),
    })  # fmt: skip
    (dependent.root / "lambdas/api/linked.json").symlink_to("deep/er/and/deeper/x.json")
    dependent.doit("lock")
    return dependent


def copy(source: Repository, target: Path, *, order: int, umask: int) -> Repository:
    """Check the repository out elsewhere, with another creation order, other modes and mtimes."""
    paths = [
        path
        for path in sorted(source.root.rglob("*"))
        if "build" not in path.parts and "__pycache__" not in path.parts and not path.is_dir()
    ]
    random.Random(order).shuffle(paths)  # noqa: S311 - repeatable on purpose
    for number, path in enumerate(paths):
        copied = target / path.relative_to(source.root)
        copied.parent.mkdir(parents=True, exist_ok=True, mode=0o777 & ~umask)
        shutil.copyfile(path, copied, follow_symlinks=False)
        if not copied.is_symlink():
            copied.chmod((0o755 if order % 2 else 0o644) & ~umask)
            os.utime(copied, (1_000_000_000 + order * 1000 + number,) * 2)
    return Repository(target, dict(source.environment))


def test_golden_bytes_in_any_surroundings(source: Repository, tmp_path: Path) -> None:
    """Folder, umask, clock, time zone, locale, home, hash seed, order, modes, uv's settings and the
    number of processes affect no byte: every build gives the committed values.
    """
    surroundings = [
        (0o022, [], {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}),
        (0o077, ["-n", "2"], {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "77",
                              "SOURCE_DATE_EPOCH": "1", "UV_COMPILE_BYTECODE": "1"}),
        (0o000, ["-n", "2", "-P", "thread"], {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8",
                              "UV_LINK_MODE": "symlink", "UV_PRERELEASE": "allow",
                              "UV_EXCLUDE_NEWER": "2001-01-01", "PIP_TARGET": "/nowhere"}),
    ]  # fmt: skip
    for number, (umask, options, variables) in enumerate(surroundings):
        folder = tmp_path / "/".join(["deep"] * number) / f"copy {number}"
        repository = copy(source, folder, order=number, umask=umask)
        home = tmp_path / f"home{number}"
        home.mkdir()
        (folder.parent / "uv.toml").write_text("[pip]\ncompile-bytecode = true\n")
        repository.environment |= variables | {"HOME": str(home)}
        if number:
            repository.environment["UV_CACHE_DIR"] = str(home / "cache")
        previous = os.umask(umask)
        try:
            repository.doit(*options)
        finally:
            os.umask(previous)
        assert repository.sha256() == GOLDEN, number


@functools.cache
def _environment_of(python: str, folder: Path) -> str:
    """Return a Python in a virtual environment of `python` that has this package."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "--python", python, str(folder)], check=True)
    target = folder / "bin/python"
    subprocess.run(
        [uv, "pip", "install", "-q", "--python", str(target), "-e", str(ROOT)], check=True
    )
    return str(target)


@pytest.mark.network
@pytest.mark.parametrize("python", interpreters())
def test_every_python_gives_the_same(
    source: Repository, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, python: str
) -> None:
    """Every Python that can run doit gives the golden bytes."""
    repository = copy(source, tmp_path / "copy", order=5, umask=0o022)
    repository.python = _environment_of(python, tmp_path_factory.mktemp("venv") / "venv")
    repository.doit()
    assert repository.sha256() == GOLDEN


def test_what_one_version_wrote_serves_another(source: Repository, tmp_path: Path) -> None:
    """A build/ restored elsewhere, with new times and inodes, is up to date."""
    source.doit()
    before = source.sha256()
    target = copy(source, tmp_path / "elsewhere", order=2, umask=0o022)
    shutil.copytree(source.root / "build", target.root / "build", copy_function=shutil.copyfile)
    shutil.copytree(source.root / "dist", target.root / "dist", copy_function=shutil.copyfile,
                    dirs_exist_ok=True)  # fmt: skip
    assert target.doit().ran == []
    assert target.sha256() == before


def test_metadata_can_be_read(source: Repository, tmp_path: Path) -> None:
    """In the unpacked ZIP, importlib.metadata finds the distributions, and RECORD is correct."""
    source.doit("zip:api")
    folder = tmp_path / "task"
    shutil.unpack_archive(source.root / "dist/api.zip", folder)
    program = (
        "import sys, json, importlib.metadata as m; "
        "d = {x.name: [x.version, [str(f) for f in x.files]] for x in m.distributions(path=['.'])};"
        "json.dump(d, sys.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert {name: version for name, (version, _) in found.items()} == {
        "alpha": "1.0", "beta": "1.0", "zeta": "1.0",
    }  # fmt: skip
    for _, paths in found.values():
        assert paths == sorted(paths)
        assert all((folder / path).is_file() for path in paths)
    names = set(source.members("api"))
    assert not [n for n in names if "__pycache__" in n or n.startswith("bin/") or n == ".lock"]
    assert not names & {"requirements.txt", "requirements.lock", "base.txt"}
    assert "zeta-1.0.dist-info/entry_points.txt" in names


def test_the_users_cache_is_left_alone(source: Repository) -> None:
    """No step changes bytes, modes or times in uv's cache."""
    cache = Path(source.environment["UV_CACHE_DIR"])

    def state() -> dict[str, tuple[str, int, int]]:
        return {
            str(path): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mode,
                path.stat().st_mtime_ns,
            )
            for path in cache.rglob("*")
            if path.is_file() and ("zeta" in path.name or "alpha" in path.parts)
        }

    source.doit("venv")
    before = state()
    assert before
    source.doit()
    assert state() == before
