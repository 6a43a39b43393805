"""`aws_services`, with the real boto3 of this environment in the ZIP."""

import csv
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Index, Repository

pytest.importorskip("boto3")

PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
# Of botocore's services, so that the tests stay fast.
SERVICES = ("s3", "sqs", "dynamodb", "sts", "sso", "sso-oidc", "signin", "ec2", "lambda")

CLIENTS = """\
import sys
sys.path[:0] = sys.argv[1:]
import boto3
assert boto3.__file__.startswith(sys.argv[1]), boto3.__file__
from botocore.exceptions import UnknownServiceError
options = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
for name in ("s3", "sts", "sso", "sso-oidc"):
    boto3.client(name, **options)
boto3.resource("s3", **options).Bucket("b")
for make in (boto3.client, boto3.resource):
    try:
        make("sqs", **options)
    except Exception as error:
        print(type(error).__name__, "sqs" in str(error))
client = boto3.client("s3", **options)
print(client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}))
"""


def files_of(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an installed distribution, with those of a few services only."""
    for path in metadata.files(name) or ():
        parts = path.parts
        if parts[0] == ".." or parts[0].endswith(".dist-info") or "__pycache__" in parts:
            continue
        is_of_service = parts[:2] == ("botocore", "data") and len(parts) > 3
        if not is_of_service or parts[2] in SERVICES:
            yield path.as_posix(), Path(str(path.locate())).read_bytes()


@pytest.fixture(scope="module")
def real() -> Iterator[Index]:
    """Give an index with wheels of the installed boto3 and all that it needs."""
    index = Index()
    for name in PACKAGES:
        requires = tuple(other for other in PACKAGES if name == "boto3" and other != name)
        version = metadata.version(name)
        project = name.replace("-", "_")
        index.add(project, version, dict(files_of(name)), requires=requires)
    yield index
    index.server.shutdown()
    index.server.server_close()


def manifest(services: str = "[s3]", more: str = "") -> str:
    """Return a manifest of one function."""
    return (
        "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
        f"    aws_services: {services}\n{more}"
    )


@pytest.fixture
def calling(repository: Repository, real: Index) -> Repository:
    """Give a function that calls S3."""
    repository.environment["UV_INDEX_URL"] = real.url
    repository.write({
        "lambdas.yaml": manifest(),
        "lambdas/api/requirements.txt": "boto3\n",
        "lambdas/api/app.py": f'import boto3\n\nS3 = boto3.client("s3")\n\n\n{HANDLER}',
    })  # fmt: skip
    return repository


def services(repository: Repository, name: str = "api", prefix: str = "") -> set[str]:
    """Return the services whose descriptions are in a ZIP."""
    start = f"{prefix}botocore/data/"
    paths = (path.removeprefix(start) for path in repository.members(name) if start in path)
    return {path.partition("/")[0] for path in paths if "/" in path}


def run(folder: Path, program: str, *zips: Path) -> str:
    """Return the output of a program that has the files of ZIPs on its path."""
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    arguments = [sys.executable, "-I", "-c", program, str(folder), f"{folder}/python"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_real_clients(calling: Repository, tmp_path: Path) -> None:
    """A client of a named service works; another service is unknown to botocore, by its name."""
    calling.doit()
    assert services(calling) == {"s3", "sts", "sso", "sso-oidc", "signin"}
    output = run(tmp_path / "task", CLIENTS, calling.root / "dist/api.zip").splitlines()
    assert output[0] == "UnknownServiceError True"
    assert output[1].endswith(" True")  # of boto3, which looks for a resource first
    assert output[2].startswith("https://")


def test_record_and_files(calling: Repository) -> None:
    """RECORD lists the files that ship; files that describe no single service are among them."""
    calling.doit()
    members = calling.members("api")
    (record,) = (name for name in members if name.startswith("botocore-") and "RECORD" in name)
    rows = {row[0] for row in csv.reader(io.StringIO(members[record].decode(), newline=""))}
    assert {path for path in rows if path.startswith("botocore/")} <= members.keys()
    assert not any("/sqs/" in path for path in rows)
    assert {"botocore/data/endpoints.json", "botocore/data/partitions.json"} <= members.keys()
    resources = {path.split("/")[2] for path in members if path.startswith("boto3/data/")}
    assert resources == {"s3"}


def test_off_and_on(calling: Repository) -> None:
    """An empty list keeps all, with the key and the bytes of a function without the option."""
    plain = manifest().replace("    aws_services: [s3]\n", "")
    calling.write({"lambdas.yaml": plain})
    calling.doit()
    assert services(calling) == set(SERVICES)
    calling.write({"lambdas.yaml": manifest("[]")})
    assert calling.doit().ran == []
    calling.write({"lambdas.yaml": manifest()})
    assert "aws_services none -> [s3]" in calling.lambdas("why").output
    assert "MB unzipped (-" in calling.doit().message
    line = "unzipped by 'aws_services' (4 services left out)"
    assert line in calling.lambdas("size").output
    assert "are equal, sha256" in calling.lambdas("verify").output


def test_no_such_service(calling: Repository) -> None:
    """A name that botocore does not have is an error, with a similar one that it has."""
    calling.write({"lambdas.yaml": manifest("[s3, dynamo, zebra]")})
    message = calling.fails().message
    hint = "aws_services: botocore has no service 'dynamo'; did you mean 'dynamodb'?"
    assert hint in message
    assert "no service 'zebra'; use a name as in boto3.client" in message
    assert not (calling.root / "dist/api.zip").exists()


def test_a_call_of_another_service(calling: Repository) -> None:
    """Code that creates a client of a service that is left out stops the build, at each edit."""
    calling.doit()
    code = f'import boto3\n\n{HANDLER}\n\ndef later():\n    return boto3.resource("sqs")\n'
    calling.write({"lambdas/api/app.py": code})
    message = calling.fails().message
    assert "lambdas/api/app.py:8: a client of 'sqs'" in message
    assert "Add these services to 'aws_services'." in message
    calling.write({"lambdas.yaml": manifest("[s3, sqs]")})
    calling.doit()
    calling.write({"lambdas.yaml": manifest()})
    assert "a client of 'sqs'" in calling.fails().message
    calling.write({"lambdas/api/app.py": HANDLER, "lambdas/api/tool.py": code})
    calling.doit()  # the handler does not import that module


def test_a_call_that_may_be_one(calling: Repository) -> None:
    """An object that may be a session, and a computed name, are warnings, said once."""
    code = f'import boto3\n\n{HANDLER}\n\ndef later(a, name):\n    a.client("sqs")\n'
    calling.write({"lambdas/api/app.py": f"{code}    boto3.client(name)\n"})
    output = calling.doit().output
    may = "'aws_services' lacks 'sqs', and this may be a client of it (lambdas/api/app.py:8)"
    computed = (
        "computes the name of a service; 'aws_services' has to have it (lambdas/api/app.py:9)"
    )
    assert may in output
    assert computed in output
    calling.write({"lambdas/api/app.py": f"{code}    boto3.client(name)\n\n"})
    assert "'aws_services'" not in calling.doit().output


def test_a_name_of_no_service(calling: Repository) -> None:
    """A session of another library is no session of boto3: botocore has no such service."""
    code = f'import boto3\nfrom auth import session\n\n{HANDLER}\n\nA = session.client("admin")\n'
    calling.write({"lambdas/api/app.py": code, "lambdas/api/auth.py": "session = 1\n"})
    assert "admin" not in calling.doit().output


def test_the_regions_of_another_service(calling: Repository) -> None:
    """Code that asks for a service's regions stops the build, too: botocore would know none."""
    code = f'import boto3\n\nR = boto3.Session().get_available_regions("ec2")\n\n\n{HANDLER}'
    calling.write({"lambdas/api/app.py": code})
    assert "lambdas/api/app.py:3: the regions of 'ec2'" in calling.fails().message
    calling.write({"lambdas.yaml": manifest("[ec2]")})
    calling.doit()


def test_nothing_to_leave_out(calling: Repository) -> None:
    """In a function without botocore, as one that takes the runtime's, the option does nothing."""
    code = f'import boto3\n\nS = boto3.client("sqs")\n\n\n{HANDLER}'
    calling.write({
        "lambdas.yaml": manifest(more="    provided: runtime\n"),
        "lambdas/api/app.py": code,
    })  # fmt: skip
    calling.doit()
    assert [path for path in calling.members("api") if "boto" in path] == []


def test_layers(calling: Repository, tmp_path: Path) -> None:
    """A layer leaves services out, and its functions are checked against those that it keeps."""

    def both(kept: str) -> dict[str, str | bytes]:
        return {
            "lambdas.yaml": (
                f"version: 1\nlayers:\n  aws: {{requirements: aws.txt, aws_services: {kept}}}\n"
                "lambdas:\n  api: {handler: app.handler, layers: [aws]}\n"
            )
        }

    calling.write({**both("[s3]"), "aws.txt": "boto3\n"})
    calling.doit()
    assert "sqs" not in services(calling, "aws", "python/")
    assert services(calling) == set()
    zips = [calling.root / f"dist/{name}.zip" for name in ("api", "aws")]
    assert "UnknownServiceError" in run(tmp_path / "task", CLIENTS.replace(
        "startswith(sys.argv[1])", "startswith(sys.argv[2])"
    ), *zips)  # fmt: skip
    code = f'import boto3\n\nS = boto3.client("sqs")\n\n\n{HANDLER}'
    calling.write({"lambdas/api/app.py": code})
    message = calling.fails().message
    assert "lambdas/api/app.py:3: a client of 'sqs'" in message
    assert "Add these services to 'aws_services' of the layer that has botocore." in message
    calling.write(both("[s3, sqs]"))
    calling.doit()
    calling.write(both("[s3]"))
    assert "a client of 'sqs'" in calling.fails().message
