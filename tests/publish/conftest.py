"""A repository with history, and buckets of S3 on two real servers."""

import importlib
import json
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HANDLER, Repository, Streams
from tests.remote.servers import Proxy, name_of, s3_server
from tests.test_cli import SCHEMA


def held(proxy: Proxy) -> tuple[threading.Event, threading.Event]:
    """Hold the next upload: the first event says that it arrived, and the second lets it go on.

    Clear both to hold another one.
    """
    arrived, gate = threading.Event(), threading.Event()

    def hold(method: str, _: str) -> str:
        if method == "PUT" and not arrived.is_set():
            arrived.set()
            gate.wait(60)
        return ""

    proxy.harm = hold
    return arrived, gate


KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAPUBLISHER",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-tests",
    "AWS_REGION": "eu-west-1",
}

MANIFEST = """
version: 1
layers:
  common: {include: [libs/acme.py]}
lambdas:
  api: {handler: app.handler, layers: [common]}
  jobs: {handler: app.handler}
"""


@dataclass
class Bucket:
    """A bucket behind a proxy, which counts the requests of builds; and its administrator."""

    name: str
    proxy: Proxy
    client: Any

    @property
    def url(self) -> str:
        return f"s3://{self.name}/code"

    @property
    def variables(self) -> dict[str, str]:
        return {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.port}"}

    def names(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return sorted(one["Key"] for one in listed)

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def read(self, entry: dict[str, Any]) -> bytes:
        """Return the object of an entry of a list."""
        version = entry["s3_object_version"]
        named = {"VersionId": version} if version else {}
        found = self.client.get_object(Bucket=entry["s3_bucket"], Key=entry["s3_key"], **named)
        return bytes(found["Body"].read())


def git(repository: Repository, *arguments: str) -> str:
    """Run git in a repository, and return its output."""
    named = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    done = subprocess.run(
        ["git", *named, *arguments],
        cwd=repository.root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(repository: Repository, message: str = "change", date: str = "") -> str:
    """Commit everything, and return the commit."""
    git(repository, "add", "--all")
    dated = ["--date", date] if date else []
    git(repository, "commit", "--quiet", "--allow-empty", "--message", message, *dated)
    return git(repository, "rev-parse", "HEAD")


def listed(repository: Repository, name: str = "lambdas.published.json") -> dict[str, Any]:
    """Return the entries of a published list, after a check of its form."""
    text = (repository.root / name).read_text()
    entries: dict[str, Any] = json.loads(text)
    assert text == json.dumps(entries, indent=2, sort_keys=True) + "\n"
    return entries


def output(done: Streams) -> dict[str, Any]:
    """Return the JSON of `--json`, after a check against the schema."""
    found: dict[str, Any] = json.loads(done.output)
    importlib.import_module("jsonschema").validate(found, SCHEMA)
    return found


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of moto's server of AWS."""
    with s3_server("moto", tmp_path_factory.mktemp("moto")) as port:
        yield port


@pytest.fixture(scope="session")
def localbucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of a small S3 server, which keeps no versions."""
    with s3_server("localbucket", tmp_path_factory.mktemp("localbucket")) as port:
        yield port


@pytest.fixture
def proxy(moto: int) -> Iterator[Proxy]:
    """Give a proxy before moto."""
    proxy = Proxy(moto)
    yield proxy
    proxy.stop()


def aws(port: int, service: str) -> Any:  # noqa: ANN401 - a client of boto3
    """Return a client of an administrator."""
    return importlib.import_module("boto3").client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="admin",
        aws_secret_access_key="admin",  # noqa: S106 - nobody checks it
    )


def make_bucket(port: int, name: str, proxy: Proxy, *, versions: bool = True) -> Bucket:
    """Make a bucket."""
    client = aws(port, "s3")
    place = {"LocationConstraint": "eu-west-1"}
    client.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    if versions:
        status = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration=status)
    return Bucket(name, proxy, client)


def _unique(request: pytest.FixtureRequest, kind: str) -> str:
    return f"{name_of(request.node.name)[:40].strip('-')}-{uuid.uuid4().hex[:8]}-{kind}"


@pytest.fixture
def bucket(request: pytest.FixtureRequest, moto: int, proxy: Proxy) -> Bucket:
    """Give a versioned bucket of this test."""
    return make_bucket(moto, _unique(request, "dev"), proxy)


@pytest.fixture
def production(request: pytest.FixtureRequest, moto: int, proxy: Proxy) -> Bucket:
    """Give another versioned bucket of this test."""
    return make_bucket(moto, _unique(request, "prod"), proxy)


@pytest.fixture
def built(repository: Repository, bucket: Bucket) -> Repository:
    """Give a built and committed repository with two functions and a layer, and a record."""
    repository.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": HANDLER + "# api\n",
        "lambdas/jobs/app.py": HANDLER + "# jobs\n",
        "libs/acme.py": "A = 1\n",
        ".gitignore": "build/\ndist/\n",
    })  # fmt: skip
    repository.environment |= bucket.variables
    git(repository, "init", "--quiet", "--initial-branch=main")
    repository.lambdas("record")
    commit(repository, "first")
    return repository


def edit(repository: Repository, text: str, path: str = "lambdas/api/app.py") -> None:
    """Change a function, build it, and commit it with the record."""
    repository.write({path: HANDLER + text})
    repository.lambdas("record")
    commit(repository, text)


def zip_of(repository: Repository, name: str) -> Path:
    """Return a ZIP in dist/."""
    return repository.root / "dist" / f"{name}.zip"
