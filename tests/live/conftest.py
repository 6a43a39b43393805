"""An AWS account for each test: moto over HTTP, behind a gate; and a repository with history."""

import base64
import contextlib
import hashlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import Repository
from tests.live.gate import Gate
from tests.remote.servers import s3_server
from tests.test_cli import SCHEMA

SECRET = "s3cr3t-of-a-function"  # noqa: S105 - no log may have it


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of moto's server."""
    with s3_server("moto", tmp_path_factory.mktemp("moto")) as port:
        yield port


@dataclass
class Cloud:
    """An AWS account, as its administrator sees it, and the gate before it."""

    gate: Gate
    client: Any
    role: str

    def create(self, name: str, content: bytes, **more: object) -> None:
        settings = {
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Environment": {"Variables": {"PASSWORD": SECRET}},
        } | more
        self.client.create_function(
            FunctionName=name, Role=self.role, Code={"ZipFile": content}, **settings
        )

    def update(self, name: str, content: bytes) -> None:
        """Change a function behind our back."""
        self.client.update_function_code(FunctionName=name, ZipFile=content)

    def code(self, name: str, qualifier: str = "$LATEST") -> str:
        """Return the sha256 of a function's code in hex."""
        answer = self.client.get_function(FunctionName=name, Qualifier=qualifier)
        return base64.b64decode(answer["Configuration"]["CodeSha256"]).hex()

    def versions(self, name: str) -> list[str]:
        found = self.client.list_versions_by_function(FunctionName=name)["Versions"]
        return [one["Version"] for one in found if one["Version"] != "$LATEST"]

    def alias(self, name: str, alias: str = "live") -> str:
        return str(self.client.get_alias(FunctionName=name, Name=alias)["FunctionVersion"])


@pytest.fixture
def cloud(moto: int) -> Iterator[Cloud]:
    """Give an empty account."""
    import boto3

    reset = urllib.request.Request(f"http://127.0.0.1:{moto}/moto-api/reset", method="POST")
    with urllib.request.urlopen(reset, timeout=20):  # noqa: S310 - the line above
        pass
    gate = Gate(moto)
    settings = {
        "endpoint_url": f"http://127.0.0.1:{moto}",
        "region_name": "eu-west-1",
        "aws_access_key_id": "admin",
        "aws_secret_access_key": "admin",
    }
    role = boto3.client("iam", **settings).create_role(
        RoleName="functions", AssumeRolePolicyDocument="{}"
    )
    with contextlib.closing(boto3.client("lambda", **settings)) as client:
        yield Cloud(gate, client, role["Role"]["Arn"])
    gate.stop()


class Checkout(Repository):
    """A repository with git."""

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *arguments],
            cwd=self.root,
            env=self.environment | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        """Build, record and commit, as CI would have it; return the commit."""
        self.lambdas("build")
        self.lambdas("record")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def edit(self, name: str, text: str) -> None:
        """Change the code of a function."""
        self.write(
            {f"lambdas/{name}/app.py": f"def handler(event, context):\n    return {text!r}\n"}
        )

    def zip(self, name: str) -> bytes:
        return (self.root / "dist" / f"{name}.zip").read_bytes()

    def states(self, *arguments: str, code: int | None = None) -> dict[str, Any]:
        """Return the findings of `lambdas drift --json` by their ids."""
        done = self.lambdas("drift", "--env", "dev", "--json", *arguments, code=code)
        assert done.output, done.errors
        answer = json.loads(done.output)
        jsonschema.validate(answer, SCHEMA)
        return {one["id"]: one for one in answer["functions"]}


@pytest.fixture
def checkout(repository: Repository, cloud: Cloud) -> Checkout:
    """Give a clone with two functions, `api` and `jobs`, and one commit; nothing is deployed."""
    found = Checkout(repository.root, repository.environment | credentials(cloud.gate.port))
    found.write({
        "lambdas.yaml": (
            'version: 1\ndefaults:\n  name: "{lambda}-{env}"\n'
            "lambdas:\n  api: {handler: app.handler}\n  jobs: {handler: app.handler}\n"
        ),
        "lambdas/jobs/app.py": "def handler(event, context):\n    return 'jobs'\n",
        ".gitignore": "build/\ndist/\n.doit*\n",
    })  # fmt: skip
    found.git("init", "-q", "-b", "main")
    found.commit("First")
    return found


@pytest.fixture
def deployed(checkout: Checkout, cloud: Cloud) -> Checkout:
    """Give the clone with both functions deployed, as `api-dev` and `jobs-dev`."""
    for name in ("api", "jobs"):
        cloud.create(f"{name}-dev", checkout.zip(name))
    cloud.gate.requests.clear()
    return checkout


def credentials(port: int) -> dict[str, str]:
    """Return the variables of a user of the account."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "AKIADEPLOYER",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-deployer",
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def no_secret(folder: Path, *texts: str) -> None:
    """Check that neither output nor any file has the secret of a function."""
    assert not [text for text in texts if SECRET in text]
    for path in folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
