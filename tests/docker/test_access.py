"""A container can reach packages, and keeps none of the settings for that."""

import http.server
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from tests.conftest import Index, Repository
from tests.docker.conftest import (
    VOLUME,
    forget_downloads,
    manifest,
    sdist,
    start,
    stop,
    wait_for_log,
)

SECRET = "s3cret-Passw0rd"  # noqa: S105 - nobody's


def found(repository: Repository, text: str) -> list[str]:
    """Return the files of a repository that contain a text, compressed or not."""
    paths = [path for path in repository.root.rglob("*") if path.is_file()]
    names = [str(path) for path in paths if text.encode() in path.read_bytes()]
    for name in (p.stem for p in (repository.root / "dist").glob("*.zip")):
        names += [n for n, data in repository.members(name).items() if text.encode() in data]
    return names


def in_volume(engine: APIClient, text: str, image: str) -> str:
    """Return the files of pip's cache that contain a text."""
    container = engine.create_container(
        image,
        ["grep", "-rl", text, "/cache"],
        volumes=["/cache"],
        host_config=engine.create_host_config(binds=[f"{VOLUME}:/cache:ro"]),
    )
    try:
        engine.start(container["Id"])
        engine.wait(container["Id"])
        return str(engine.logs(container["Id"]).decode())
    finally:
        engine.remove_container(container["Id"], force=True, v=True)


def with_user(url: str) -> str:
    return url.replace("://", f"://builder:{SECRET}@")


def test_index_credentials(
    contained: Repository, bridge_index: Index, engine: APIClient, pythons: list[str]
) -> None:
    """The credentials of an index work in the container, and remain nowhere."""
    forget_downloads(engine)
    bridge_index.credentials = f"builder:{SECRET}"
    contained.environment["UV_INDEX_URL"] = with_user(bridge_index.url)
    result = contained.doit("zip:api")
    assert any(path.startswith("/files/alpha") for path in bridge_index.requests)
    assert found(contained, SECRET) == []
    assert SECRET not in result.output
    assert in_volume(engine, SECRET, f"doit-lambda-zip/debian:py{pythons[0]}") == ""


def test_env_names(contained: Repository, bridge_index: Index, pythons: list[str]) -> None:
    """A variable named in `env` reaches setup and pip; no file has its value, even if printed."""
    bridge_index.credentials = f"builder:{SECRET}"
    url = with_user(bridge_index.url)
    contained.environment["UV_INDEX_URL"] = url
    contained.doit("lock:api", "--upgrade")
    contained.environment["PRIVATE_INDEX"] = url
    contained.environment["UV_INDEX_URL"] = "http://127.0.0.1:9/nothing"
    contained.environment["PIP_INDEX_URL"] = url
    setup = ['test -n "$PIP_INDEX_URL"', 'echo "the index is $PIP_INDEX_URL"', "env"]
    text = manifest(pythons[0], {"setup": setup, "env": ["PIP_INDEX_URL", "NOT_SET_HERE"]})
    contained.write({"lambdas.yaml": text})
    result = contained.doit("zip:api")
    assert "api" in contained.sha256()
    assert found(contained, SECRET) == []
    assert SECRET not in result.output
    assert "the index is ****" in (contained.root / "build/logs/venv-api.log").read_text()


def test_a_value_in_an_error_is_hidden(contained: Repository, pythons: list[str]) -> None:
    """The end of the output, shown on failure, contains no secret either."""
    contained.environment["TOKEN"] = SECRET
    setup = ['echo "token $TOKEN"; exit 3']
    contained.write({"lambdas.yaml": manifest(pythons[0], {"setup": setup, "env": ["TOKEN"]})})
    result = contained.fails("zip:api")
    assert "| token ****" in result.output
    assert SECRET not in result.output
    assert found(contained, SECRET) == []


def test_netrc(
    contained: Repository, bridge_index: Index, tmp_path: Path, pythons: list[str]
) -> None:
    """A secret file exists only during the installation, for its user only, and not in setup."""
    contained.doit("lock:api", "--upgrade")
    bridge_index.credentials = f"builder:{SECRET}"
    host = bridge_index.url.split("/")[2].partition(":")[0]
    (tmp_path / "netrc").write_text(f"machine {host} login builder password {SECRET}\n")
    setup = ["! grep -rs s3cret /doit-lambda-zip"]
    mapping = {"secrets": {"netrc": str(tmp_path / "netrc")}, "setup": setup}
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping)})
    result = contained.doit("zip:api")
    assert "api" in contained.sha256()
    assert found(contained, SECRET) == []
    assert SECRET not in result.output


def test_missing_secret(contained: Repository, pythons: list[str]) -> None:
    """A missing secret file is reported before a container starts."""
    mapping = {"secrets": {"netrc": "~/.no-such-netrc"}}
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping)})
    result = contained.fails("zip:api")
    assert "cannot read the secret 'netrc' from ~/.no-such-netrc" in result.message


def test_access_is_not_in_the_key(
    contained: Repository, tmp_path: Path, pythons: list[str]
) -> None:
    """Other credentials, secrets, proxies and certificates rebuild nothing."""
    (tmp_path / "netrc").write_text("machine example.org login a password bbbbbbbb\n")
    mapping = {"secrets": {"netrc": str(tmp_path / "netrc")}, "env": ["TOKEN"]}
    contained.environment["TOKEN"] = "first"  # noqa: S105
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping)})
    contained.doit()
    (tmp_path / "netrc").write_text("machine example.org login a password cccccccc\n")
    contained.environment["TOKEN"] = "second"  # noqa: S105
    contained.environment["HTTPS_PROXY"] = "http://192.0.2.1:3128"
    contained.environment["PIP_CERT"] = str(tmp_path / "none.pem")
    contained.environment["DOCKER_HOST"] = "tcp://192.0.2.1:2375"
    assert [name for name in contained.doit().ran if "api" in name] == []


def test_certificates(contained: Repository, tmp_path: Path, pythons: list[str]) -> None:
    """The CA bundle of this machine is in the container, for setup and for pip."""
    bundle = tmp_path / "bundle.pem"
    shutil.copy(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"), bundle)
    contained.environment["SSL_CERT_FILE"] = str(bundle)
    names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    setup = [f'grep -q "BEGIN CERTIFICATE" "${name}"' for name in names]
    contained.write({"lambdas.yaml": manifest(pythons[0], {"setup": setup})})
    contained.doit("zip:api")
    assert "api" in contained.sha256()


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy that answers from a given index, and records its requests."""

    index: Index
    asked: list[str]

    def do_GET(self) -> None:
        """Answer `GET http://<any host>/<path>`."""
        self.asked.append(self.path)
        self.path = "/" + self.path.split("/", 3)[3]
        self.index.answer(self)

    do_HEAD = do_GET  # noqa: N815 - the standard library's name

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def proxy(bridge_index: Index) -> Iterator[type[Proxy]]:
    """Give a proxy that containers can reach."""
    kind = type("ThisProxy", (Proxy,), {"index": bridge_index, "asked": []})
    host = bridge_index.url.split("/")[2].partition(":")[0]
    server = http.server.ThreadingHTTPServer((host, 0), kind)
    kind.address = f"http://{host}:{server.server_address[1]}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kind
    server.shutdown()
    server.server_close()


def test_proxy(contained: Repository, engine: APIClient, proxy: type[Proxy]) -> None:
    """In the container, pip uses this machine's proxy."""
    contained.environment["UV_INDEX_URL"] = "http://packages.invalid/simple"
    contained.environment["UV_INSECURE_HOST"] = "packages.invalid"
    contained.environment["HTTP_PROXY"] = proxy.address  # type: ignore[attr-defined]
    contained.environment["http_proxy"] = proxy.address  # type: ignore[attr-defined]
    contained.doit("lock:api", "--upgrade")
    forget_downloads(engine)
    proxy.asked.clear()
    contained.doit("zip:api")
    assert any("alpha-1.0" in path for path in proxy.asked)


def test_second_installation_downloads_nothing(
    public: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """A container takes an earlier container's downloads from the cache."""
    forget_downloads(engine)
    public.write({
        "lambdas.yaml": manifest(pythons[0]),
        "lambdas/api/requirements.txt": "cryptography\n",
    })  # fmt: skip
    public.doit("zip:api")
    log = public.root / "build/logs/venv-api.log"
    assert "Downloading cryptography" in log.read_text()
    shutil.rmtree(public.root / "build")
    public.doit("zip:api")
    text = log.read_text()
    assert "Using cached cryptography" in text
    assert "Downloading" not in text


def test_build_tools_are_pinned(
    public: Repository, bridge_index: Index, engine: APIClient, pythons: list[str]
) -> None:
    """A build from source uses the build tools of build-constraints.txt, not the newest ones."""
    pinned = (Path(__file__).parents[2] / "buildlib/build-constraints.txt").read_text()
    code = "import setuptools\nprint('setuptools==' + setuptools.__version__)\n"
    text = sdist("beta", code, requires='["setuptools"]')
    bridge_index.files["beta-1.0.tar.gz"] = text
    public.environment["UV_INDEX"] = bridge_index.url
    public.environment["UV_INSECURE_HOST"] = bridge_index.url.split("/")[2]
    public.write({
        "lambdas.yaml": manifest(pythons[1]),
        "lambdas/api/requirements.txt": "beta\n",
    })  # fmt: skip
    forget_downloads(engine)
    public.doit("zip:api")
    version = public.members("api")["beta.py"].decode().split("'")[1].split("\\n")[0]
    assert version in pinned.split()


def test_hidden_from_other_programs(contained: Repository, pythons: list[str]) -> None:
    """No secret value is an argument of a process, or in the container's configuration."""
    contained.environment["TOKEN"] = SECRET
    mapping = {"setup": ["sleep 31"], "env": ["TOKEN"]}
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping)})
    contained.doit("lock:api", "--upgrade")
    process = start(contained, "zip:api")
    wait_for_log(contained, "$ sleep 31")
    try:
        names = subprocess.run(
            ["docker", "ps", "-q"], capture_output=True, text=True, check=True
        ).stdout.split()
        seen = subprocess.run(
            ["docker", "inspect", *names], capture_output=True, text=True, check=True
        ).stdout
        arguments = subprocess.run(
            ["ps", "axww"], capture_output=True, text=True, check=True
        ).stdout
        assert SECRET not in seen + arguments
    finally:
        stop(process, signal.SIGINT)
