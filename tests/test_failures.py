"""Bad input and bad luck give one clear message and exit code 1 to 3; earlier artifacts stay."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HANDLER, Index, Repository

APP = "lambdas/api/app.py"


@pytest.fixture
def built(repository: Repository) -> Iterator[Repository]:
    """Give a repository with a ZIP; check afterwards that ZIP and description still exist."""
    repository.doit()
    before = repository.sha256()
    yield repository
    assert repository.sha256() == before


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("", "lambdas.yaml: the file is empty"),
        ("a: [", "lambdas.yaml:2:1: not valid YAML"),
        (
            "version: 1\nlambdas:\n  api: {handler: 'app.handler}\n",
            "lambdas.yaml:4:1: not valid YAML: found unexpected end of stream; a quoted scalar",
        ),
        ("version: 1\nlambdas:\n\tapi: {}\n", "lambdas.yaml:3:1: not valid YAML"),
        (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n    architectures: arm64\n",
            "lambdas.yaml:5:5: lambda 'api': unknown key 'architectures'; did you mean",
        ),
        (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n    python: 3.10\n",
            "lambdas.yaml:5:13: lambda 'api': python must be a quoted string: \"3.10\" (YAML",
        ),
        (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n    source: ../other\n",
            "lambdas.yaml:5:13: lambda 'api': source '../other' leaves the repository",
        ),
    ],
    ids=["empty", "cut off", "open quote", "tab", "unknown key", "number", "outside"],
)
def test_a_bad_manifest(built: Repository, manifest: str, message: str) -> None:
    """An invalid manifest gives one line for each problem, before anything runs."""
    built.write({"lambdas.yaml": manifest})
    result = built.doit(code=3)
    assert result.output.startswith(f"ERROR: {message}")
    assert result.ran == []


def test_all_problems_at_once(built: Repository) -> None:
    """Three mistakes give three messages, in the order of the file."""
    built.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api:\n    handler: app\n  Bad:\n    handler: app.handler\n"
            "  gone:\n    handler: app.handler\n    python: '2.7'\n"
        )
    })  # fmt: skip
    *lines, more = built.doit(code=3).output.removeprefix("ERROR: ").strip().splitlines()
    assert more == "More: lambdas errors manifest"
    assert [line.split(": ")[0] for line in lines] == [
        "lambdas.yaml:4:14", "lambdas.yaml:5:3", "lambdas.yaml:9:13",
    ]  # fmt: skip


def test_no_manifest(repository: Repository) -> None:
    """Without lambdas.yaml, the message names the folder that was searched."""
    (repository.root / "lambdas.yaml").unlink()
    assert "could not find lambdas.yaml in" in repository.doit(code=3).output


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("app.missing", "app.py does not define 'missing'; it defines handler"),
        ("main.handler", "the ZIP has no main.py; top-level modules: app.py"),
    ],
)
def test_a_missing_handler(repository: Repository, handler: str, message: str) -> None:
    """The build finds a handler that Lambda could not call, before it is deployed."""
    text = f"version: 1\nlambdas:\n  api:\n    handler: {handler}\n"
    repository.write({"lambdas.yaml": text})
    assert message in repository.fails().message


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("not a requirement!!", "failed to resolve dependencies"),
        ("./local", "is a local path"),
        ("-e .", "is an editable install"),
        ("thing @ git+https://example.com/thing", "is a VCS link, which has no hash"),
        ("thing @ https://example.com/thing-1-py3-none-any.whl", "is a URL without a hash"),
    ],
)
def test_bad_requirements(built: Repository, requirement: str, message: str) -> None:
    """A requirement that cannot be pinned with a hash is refused, with the alternative."""
    built.write({"lambdas/api/requirements.txt": requirement + "\n"})
    result = built.fails()
    assert message in result.message
    assert "lambdas/api/requirements.txt" in result.message
    (built.root / "lambdas/api/requirements.txt").unlink()


def test_no_network(built: Repository) -> None:
    """Without a connection, the message contains uv's own words and what to check."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    built.write({"lambdas/api/requirements.txt": "alpha\n"})
    result = built.fails(UV_INDEX_URL=f"http://127.0.0.1:{port}/simple")
    assert "check the connection to the package index" in result.message
    (built.root / "lambdas/api/requirements.txt").unlink()
    assert not (built.root / "lambdas/api/requirements.lock").exists()


@pytest.mark.parametrize("status", [404, 403, 500])
def test_an_index_that_refuses(built: Repository, index: Index, status: int) -> None:
    """If the index answers with an error, the message names it as the cause."""
    index.status = status
    built.write({"lambdas/api/requirements.txt": "alpha\n"})
    result = built.fails(UV_INDEX_URL=index.url)
    assert "alpha" in result.message
    assert "failed to resolve dependencies" in result.message
    (built.root / "lambdas/api/requirements.txt").unlink()


def test_a_hash_mismatch(dependent: Repository, index: Index) -> None:
    """A file that differs from the lock is not installed, whatever hash the index declares."""
    dependent.doit("lock")
    index.files.clear()
    index.add("alpha", files={"alpha/__init__.py": "import evil\n"})
    index.add("beta", files={"beta.py": "B = 1\n"}, requires=("alpha",))
    result = dependent.fails("zip:jobs", UV_CACHE_DIR=str(dependent.root / "build/fresh"))
    assert "Hash mismatch: a file from the index differs from the lock" in result.message
    assert "lambdas lock --upgrade jobs" in result.message
    assert not (dependent.root / "dist").exists()


def test_no_suitable_wheel(dependent: Repository, index: Index) -> None:
    """Without a matching wheel, the message gives the package, the target, tags and remedies."""
    index.add("native", "2.5", tag="cp313-cp313-manylinux_2_39_x86_64")
    dependent.write({"lambdas/api/requirements.txt": "native\n"})
    message = dependent.fails("zip:api").message
    assert "no release that fits has a wheel for Python 3.13 on x86_64" in message
    assert "manylinux_2_34_x86_64" in message
    assert "native: has wheels for Python 3.13 that need glibc 2.39 or newer" in message
    assert "install: docker" in message


@pytest.mark.parametrize("where", ["manifest", "CI"])
def test_a_frozen_lock(dependent: Repository, where: str) -> None:
    """In CI, or with `frozen`, a missing or stale lock is an error that names the command."""
    environment: dict[str, Any] = {"CI": "true"} if where == "CI" else {}
    if where == "manifest":
        text = (dependent.root / "lambdas.yaml").read_text()
        dependent.write(
            {"lambdas.yaml": text.replace("lambdas:", "defaults:\n  frozen: true\nlambdas:", 1)}
        )
    message = dependent.fails("zip:api", **environment).message
    assert "lambdas/api/requirements.lock is missing. " in message
    assert "'lambdas lock api'" in message
    assert dependent.doit("lock:api", **environment).ran == ["lock:api"]
    assert "lock:api" not in dependent.doit("zip:api", **environment).ran
    dependent.write({"lambdas/api/requirements.txt": "beta>=1\n"})
    message = dependent.fails("zip:api", **environment).message
    assert "requirements.lock is out of date with requirements.txt. " in message


def test_credentials_stay_secret(dependent: Repository, index: Index) -> None:
    """A password in the index settings works, and appears in no file and no message."""
    index.credentials = "user:s3cr3t-pa55"
    url = index.url.replace("http://", "http://user:s3cr3t-pa55@")
    environment: dict[str, Any] = {
        "UV_INDEX_URL": url,
        "UV_CACHE_DIR": str(dependent.root.parent / "cache"),
    }
    result = dependent.doit(**environment)
    assert "s3cr3t" not in result.output
    wrong = url.replace("pa55", "wrong")
    dependent.write({"lambdas/api/requirements.txt": "beta\nunknown\n"})
    assert "s3cr3t" not in dependent.fails(UV_INDEX_URL=wrong).output
    for path in dependent.root.rglob("*"):
        assert not path.is_file() or b"s3cr3t" not in path.read_bytes(), path


def test_pip_settings_are_used(dependent: Repository, index: Index) -> None:
    """An index that only pip's configuration declares is found."""
    configuration = dependent.root.parent / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {index.url}\n")
    del dependent.environment["UV_INDEX_URL"]
    dependent.doit(PIP_CONFIG_FILE=str(configuration))
    dependent.sha256()


def test_a_fifo_and_a_socket(repository: Repository) -> None:
    """A FIFO or a socket is refused by name, and does not hang the build."""
    os.mkfifo(repository.root / "lambdas/api/pipe")
    message = repository.fails().message
    assert "lambdas/api/pipe: a FIFO cannot be part of a function" in message
    (repository.root / "lambdas/api/pipe").unlink()
    short = Path(os.path.relpath(repository.root / "lambdas/api/sock"))
    with socket.socket(socket.AF_UNIX) as server:
        previous = Path.cwd()
        os.chdir(repository.root / "lambdas/api")
        try:
            server.bind("sock")
        finally:
            os.chdir(previous)
        assert "lambdas/api/sock: a socket" in repository.fails().message
    assert short.name == "sock"


def test_names_that_are_not_utf8(repository: Repository) -> None:
    """A file name that is not valid Unicode is refused, and shown with its bytes."""
    folder = os.fsencode(repository.root / "lambdas/api")
    with open(folder + b"/caf\xe9.txt", "wb"):
        pass
    assert r"caf\xe9.txt' is not UTF-8" in repository.fails().message


def test_names_that_collide_elsewhere(repository: Repository) -> None:
    """Two names that are equal on macOS and Windows are refused on every system."""
    repository.write({"lambdas/api/Data.txt": "1", "lambdas/api/data.txt": "2"})
    message = repository.fails().message
    assert "'Data.txt' and 'data.txt' are one file on macOS and Windows" in message


def test_a_link_that_leaves(repository: Repository) -> None:
    """A link out of the source is refused, because the ZIP would depend on the machine."""
    (repository.root / "lambdas/api/hosts").symlink_to("/etc/hosts")
    assert "hosts', a file outside the repository" in repository.fails().message


def test_a_function_and_a_dependency_with_one_name(dependent: Repository) -> None:
    """An own file that would hide a dependency's file is an error that names both."""
    dependent.write({"lambdas/api/beta.py": "MINE = 1\n"})
    message = dependent.fails("zip:api").message
    assert "the dependency's beta.py and lambdas/api/beta.py both become 'beta.py'" in message


def test_two_distributions_with_one_file(dependent: Repository, index: Index) -> None:
    """Two wheels with different files at one path are an error that names both."""
    index.add("delta", files={"tests/__init__.py": "delta\n"})
    index.add("epsilon", files={"tests/__init__.py": "epsilon\n"})
    dependent.write({"lambdas/api/requirements.txt": "delta\nepsilon\n"})
    message = dependent.fails("zip:api").message
    assert "tests/__init__.py: delta 1.0 and epsilon 1.0" in message


@pytest.mark.root
def test_a_full_disk(repository: Repository) -> None:
    """With a full disk, the message says so, the earlier ZIP stays, and the next run recovers."""
    repository.doit()
    before = repository.sha256()
    dist = repository.root / "dist"
    shutil.move(dist, repository.root / "kept")
    dist.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(dist)], check=True)
    try:
        for path in (repository.root / "kept").iterdir():
            shutil.copy2(path, dist)
        repository.write({"lambdas/api/big.bin": os.urandom(1 << 20)})
        assert "no space left on device; free some space" in repository.fails().message
        assert repository.sha256() == before
        assert not list(dist.glob(".*"))
        (repository.root / "lambdas/api/big.bin").unlink()
        repository.write({APP: HANDLER + "# edited\n"})
        repository.doit()
        assert repository.sha256() != before
    finally:
        subprocess.run(["umount", str(dist)], check=True)


@pytest.mark.root
def test_a_full_disk_while_installing(dependent: Repository, index: Index) -> None:
    """If uv cannot write a file, the message does not blame the package index."""
    index.add("large", files={"large.bin": os.urandom(1 << 20)})
    dependent.write({"lambdas/api/requirements.txt": "large\n"})
    dependent.doit("lock:api")
    place = dependent.root / "build/env"
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=True)
    try:
        message = dependent.fails("venv:api").message
        assert "Free some space, then run the build again." in message
        assert "connection" not in message
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.root
def test_a_read_only_dist(repository: Repository) -> None:
    """If dist/ is not writable, the message names it and the remedy, and dist/ stays as it is."""
    repository.doit()
    before = repository.sha256()
    dist = repository.root / "dist"
    subprocess.run(["mount", "--bind", str(dist), str(dist)], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(dist)], check=True)
    try:
        repository.write({APP: HANDLER + "# edited\n"})
        message = repository.fails().message
        assert "read-only file system; make it writable" in message
        assert repository.sha256() == before
    finally:
        subprocess.run(["umount", str(dist)], check=True)


@pytest.mark.root
def test_a_read_only_repository(repository: Repository) -> None:
    """On a read-only file system, queries work, and builds fail with a message."""
    root = str(repository.root)
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
    try:
        message = repository.doit(code=1).message
        assert "/build: read-only file system; make it writable" in message
        assert "build/.doit.json cannot be written: Read-only file system" in message
        assert message.splitlines()[-1].startswith("1 failed")
        assert "first build here" in repository.doit("why").message
    finally:
        subprocess.run(["umount", root], check=True)


def test_a_state_that_cannot_be_written(repository: Repository) -> None:
    """A damaged doit state neither ends in a traceback nor hides finished builds."""
    (repository.root / "build/.doit.json").mkdir(parents=True)
    message = repository.doit().message
    assert "build/.doit.json cannot be written: " in message
    assert "api: built" in message


def test_a_file_where_dist_should_be(repository: Repository) -> None:
    """A folder at the path of an output is named, with the remedy."""
    repository.write({"dist": ""})
    assert "/dist: file exists; a file is where a folder should be" in repository.fails().message


def test_one_failure_does_not_lose_the_others(dependent: Repository) -> None:
    """With `-c`, everything else is built, and the exit code still reports the failure."""
    dependent.write({"lambdas/api/app.py": "no handler here\n"})
    dependent.doit("-c", code=None)
    assert {"jobs-py3.12-x86_64", "jobs-py3.13-x86_64"} == set(dependent.sha256())
