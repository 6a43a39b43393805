"""A real engine, and repositories that install their functions in its containers.

A missing engine is a failure here, not a reason to skip: these tests exist to use it.
"""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import APIClient

from buildlib.uv import settings
from tests.conftest import Index, Repository

IMAGES = "doit-lambda-zip/debian"
LABEL = "doit-lambda-zip.session"
VOLUME = "doit-lambda-zip-pip"
SECOND = "unix:///run/doit-lambda-zip/second.sock"
SETUP = "run .ci/docker-engine as root first"

FORWARDED = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def engine() -> Iterator[APIClient]:
    """Give a client of the first engine."""
    try:
        client = APIClient(base_url="unix:///var/run/docker.sock", version="auto", timeout=120)
    except docker.errors.DockerException as error:
        pytest.fail(f"no engine answers ({error}); {SETUP}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def second(engine: APIClient) -> Iterator[APIClient]:
    """Give a client of the second engine."""
    del engine
    try:
        client = APIClient(base_url=SECOND, version="auto", timeout=120)
    except docker.errors.DockerException as error:
        pytest.fail(f"the second engine does not answer ({error}); {SETUP}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def pythons(engine: APIClient) -> list[str]:
    """Give the Pythons with an image: first Debian's own, which also has one for arm64."""
    tags = [tag for image in engine.images(name=IMAGES) for tag in image["RepoTags"] or []]
    found = {match[1] for tag in tags if (match := re.fullmatch(rf"{IMAGES}:py([\d.]+)", tag))}
    arm = {match[1] for tag in tags if (match := re.fullmatch(rf"{IMAGES}:py([\d.]+)-arm64", tag))}
    if len(found) < 2 or not arm:
        pytest.fail(f"images are missing, there are only {tags}; {SETUP}")
    return sorted(found, key=lambda python: (python not in arm, python))


@pytest.fixture(autouse=True)
def nothing_left(engine: APIClient) -> Iterator[None]:
    """Fail a test that leaves a container or a volume behind, except pip's cache."""
    before = {volume["Name"] for volume in engine.volumes()["Volumes"] or []}
    yield
    deadline = time.monotonic() + 10
    while (left := containers(engine)) and time.monotonic() < deadline:
        time.sleep(0.2)  # the engine may still be removing it
    for container in left:
        engine.remove_container(container["Id"], force=True)
    assert left == []
    after = {volume["Name"] for volume in engine.volumes()["Volumes"] or []}
    assert after - before <= {VOLUME}


def containers(engine: APIClient) -> list[dict[str, Any]]:
    """Return doit-lambda-zip's containers, running or not."""
    return list(engine.containers(all=True, filters={"label": LABEL}))


def wait_until_gone(engine: APIClient, seconds: float = 20) -> None:
    """Wait until the engine has removed doit-lambda-zip's containers."""
    end = time.monotonic() + seconds
    while containers(engine):
        assert time.monotonic() < end
        time.sleep(0.1)


def forget_downloads(engine: APIClient) -> None:
    """Remove pip's cache."""
    with contextlib.suppress(docker.errors.NotFound):
        engine.remove_volume(VOLUME)


@pytest.fixture(scope="session")
def public_environment(plain_environment: dict[str, str]) -> dict[str, str]:
    """Give the environment of a user with this machine's access to the public index.

    A container cannot use an index that is a folder on this machine.
    """
    found = settings.uv_variables(os.environ, Path(os.devnull))
    environment = {k: v for k, v in plain_environment.items() if k != "UV_INDEX_URL"}
    environment.pop("UV_HTTP_RETRIES", None)
    for name in FORWARDED:
        words = [w for w in found.get(name, "").split() if "://" in w and "file:" not in w]
        if words:
            environment[name] = " ".join(words)
    names = (n for n in os.environ if n.upper().endswith("_PROXY") or n == "PIP_CERT")
    return environment | {name: os.environ[name] for name in names}


@pytest.fixture
def public(repository: Repository, public_environment: dict[str, str]) -> Repository:
    """Give a repository that uses the public index."""
    repository.environment = dict(public_environment)
    return repository


@pytest.fixture
def bridge_index(engine: APIClient) -> Iterator[Index]:
    """Give an empty index that this machine and its containers can reach."""
    index = Index(bridge_address(engine))
    yield index
    index.server.shutdown()
    index.server.server_close()


def bridge_address(engine: APIClient) -> str:
    """Return this machine's address in the default network of containers.

    Ask the interface, not the engine: Docker 20.10 leaves `Gateway` out of the network's IPAM
    configuration until its second start.
    """
    options = engine.inspect_network("bridge")["Options"]
    name = options["com.docker.network.bridge.name"]
    command = ["ip", "-json", "-4", "address", "show", "dev", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)[0]["addr_info"][0]["local"])


@pytest.fixture
def contained(repository: Repository, bridge_index: Index, pythons: list[str]) -> Repository:
    """Give a repository whose function `api` needs the package `alpha`, in a container."""
    bridge_index.add("alpha", files={"alpha/__init__.py": "A = 1\n"})
    repository.environment["UV_INDEX_URL"] = bridge_index.url
    repository.environment["UV_INSECURE_HOST"] = bridge_index.url.split("/")[2]
    repository.write({
        "lambdas.yaml": manifest(pythons[0]),
        "lambdas/api/requirements.txt": "alpha\n",
    })  # fmt: skip
    return repository


def manifest(python: str, docker: Mapping[str, object] | None = None, **options: object) -> str:
    """Return a manifest with the function `api`, installed in the image of a Python."""
    mapping = {"image": f"{IMAGES}:py{python}", **(docker or {})}
    lines = ["version: 1", "lambdas:", "  api:", "    handler: app.handler"]
    options = {"python": python, "install": "docker", **options}
    # JSON is YAML.
    lines += [f"    {name}: {json.dumps(value)}" for name, value in options.items()]
    lines.append(f"    docker: {json.dumps(mapping)}")
    return "\n".join(lines) + "\n"


def start(repository: Repository, *arguments: str) -> "subprocess.Popen[str]":
    """Start doit in a process group of its own."""
    return subprocess.Popen(
        repository.command(*arguments),
        cwd=repository.root,
        env=repository.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_log(repository: Repository, text: str, name: str = "api", seconds: float = 60) -> None:
    """Wait until the log of an installation has the line `text`."""
    path = repository.root / f"build/logs/venv-{name}.log"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and text in path.read_text().splitlines():
            return
        time.sleep(0.05)
    pytest.fail(f"'{text}' does not appear in {path}")


def stop(process: "subprocess.Popen[str]", number: signal.Signals) -> str:
    """Send a signal to a process group, and return its output."""
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    return output


def sdist(name: str, code: str, requires: str = "[]") -> bytes:
    """Return an sdist with a build backend of its own.

    The backend runs `code`, whose output becomes the module's TEXT.
    """
    backend = f"""
import contextlib, io, zipfile
def build_wheel(folder, *_):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec({code!r})
    name = "{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        info = "{name}-1.0.dist-info/"
        wheel.writestr("{name}.py", "TEXT = " + repr(out.getvalue()) + chr(10))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "{name}.py,,\\n" + info + "RECORD,,\\n")
    return name
"""
    files = {
        "pyproject.toml": (
            f"[build-system]\nrequires = {requires}\n"
            'build-backend = "backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "{name}"\nversion = "1.0"\n'
        ),
        "backend.py": backend,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return stream.getvalue()
