"""Remote caches for tests: the servers run once a session, and each test has its own prefix."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Repository
from tests.remote.servers import Folder, Proxy, Shared, Web, name_of, s3, s3_server


@pytest.fixture(scope="session")
def localbucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of a small S3 server."""
    with s3_server("localbucket", tmp_path_factory.mktemp("localbucket")) as port:
        yield port


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of moto's S3 server."""
    with s3_server("moto", tmp_path_factory.mktemp("moto")) as port:
        yield port


@pytest.fixture(scope="session")
def web() -> Iterator[Web]:
    """Give an HTTP server that keeps what it gets."""
    server = Web()
    yield server
    server.stop()


@pytest.fixture(params=["moto", "localbucket", "http", "file"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    """Give an empty remote cache of each kind."""
    name = name_of(request.node.name)
    if request.param == "file":
        folder = tmp_path / "shared folder"
        return Shared({"LAMBDA_ZIP_REMOTE": folder.as_uri()}, Folder(folder))
    if request.param == "http":
        server: Web = request.getfixturevalue("web")
        url = f"http://127.0.0.1:{server.port}/{name}"
        return Shared({"LAMBDA_ZIP_REMOTE": url}, server.below(f"/{name}"), server.port)
    return s3(request.getfixturevalue(request.param), name)


@pytest.fixture
def bucket(tmp_path: Path) -> Shared:
    """Give an empty remote cache in a folder, for tests of rules that hold for each kind."""
    folder = tmp_path / "bucket"
    return Shared({"LAMBDA_ZIP_REMOTE": folder.as_uri()}, Folder(folder))


@pytest.fixture
def proxy(localbucket: int) -> Iterator[Proxy]:
    """Give a proxy before the small S3 server."""
    proxy = Proxy(localbucket)
    yield proxy
    proxy.stop()


@pytest.fixture
def behind(request: pytest.FixtureRequest, proxy: Proxy, localbucket: int) -> Shared:
    """Give an empty remote cache behind the proxy."""
    return s3(proxy.port, name_of(request.node.name), localbucket)


@pytest.fixture
def builder(repository: Repository) -> Repository:
    """Give a repository with two functions and no dependencies."""
    repository.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api: {handler: app.handler}\n  jobs: {handler: app.handler}\n"
        ),
        "lambdas/jobs/app.py": "def handler(event, context):\n    return 'jobs'\n",
    })  # fmt: skip
    return repository
