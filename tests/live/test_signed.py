"""Code that AWS Signer signed is known by the build that it is from."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.conftest import Checkout, Cloud, sha256
from tests.publish.conftest import aws
from tests.publish.signer import Signer

JOBS = "arn:aws:signer:eu-west-1:123456789012:/signing-jobs/"


@pytest.fixture
def signer(moto: int, cloud: Cloud) -> Iterator[Signer]:
    """Give a signer, and an account whose functions name the jobs of signed code."""
    client = aws(moto, "s3")
    server = Signer(client)
    place = {"LocationConstraint": "eu-west-1"}
    client.create_bucket(Bucket="code", CreateBucketConfiguration=place)
    client.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})

    def named(method: str, path: str, body: bytes) -> bytes:
        """Add the job to the answer about a function, as Lambda does."""
        if method != "GET" or not path.startswith("/2015-03-31/functions/api-dev"):
            return body
        answer = json.loads(body)
        job = server.signed.get(answer.get("Configuration", {}).get("CodeSha256"))
        if job:
            answer["Configuration"]["SigningJobArn"] = f"{JOBS}{job}"
        return json.dumps(answer).encode()

    cloud.gate.change = named
    yield server
    server.stop()


@pytest.fixture
def signed(deployed: Checkout, signer: Signer, moto: int) -> Checkout:
    """Give the clone with a signed function behind an alias; `jobs-dev` is not signed."""
    deployed.environment["AWS_ENDPOINT_URL_SIGNER"] = f"http://127.0.0.1:{signer.port}"
    deployed.environment["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{moto}"
    publish(deployed, "--bucket", "s3://code/x", "--signing-profile", "Lambda")
    return deployed


def publish(checkout: Checkout, *arguments: str) -> dict[str, Any]:
    """Publish a signed `api`, deploy it, commit, and return its entry."""
    direct = checkout.environment["AWS_ENDPOINT_URL_S3"]  # the gate knows no versions of S3
    checkout.lambdas("publish", "api", *arguments, AWS_ENDPOINT_URL=direct)
    options = ("--env", "dev", "--from", "lambdas.published.json", "--alias", "live")
    checkout.lambdas("deploy", "api", *options)
    checkout.git("add", "-A")
    checkout.git("commit", "-q", "-m", "Publish")
    entry: dict[str, Any] = json.loads((checkout.root / "lambdas.published.json").read_text())
    return dict(entry["api"])


def test_drift(signed: Checkout, cloud: Cloud) -> None:
    """A signed function is up to date with its build, and later behind by commits."""
    entry = json.loads((signed.root / "lambdas.published.json").read_text())["api"]
    assert cloud.code("api-dev") == entry["sha256"] != sha256(signed.zip("api"))
    found = signed.states(code=0)
    assert (found["api"]["state"], found["jobs"]["state"]) == ("up_to_date", "up_to_date")
    assert found["api"]["text"] == "up to date, signed by AWS Signer"
    assert found["api"]["sha256"] == entry["sha256"]
    signed.edit("api", "newer")
    signed.commit("Newer")
    found = signed.states(code=1)
    assert (found["api"]["state"], found["api"]["behind"]) == ("behind", 1)


def test_another_job(signed: Checkout, signer: Signer) -> None:
    """The table does not vouch for a ZIP if Lambda names another signing job than it does."""
    signer.signed = dict.fromkeys(signer.signed, "another-one")
    found = signed.states(code=1)["api"]
    assert found["state"] == "unknown"
    assert f"but Lambda {JOBS}another-one" in found["text"]


def test_deploy(signed: Checkout, cloud: Cloud) -> None:
    """A deployment of the same build does nothing; one of another build must be signed."""
    before = cloud.code("api-dev")
    assert "up to date" in signed.lambdas("deploy", "api", "--env", "dev").output
    table = signed.root / "lambdas.signed.json"
    text = table.read_text()
    table.write_text("<<<<<<< HEAD\n" + text)
    errors = signed.lambdas("deploy", "--env", "dev", code=1).errors
    assert errors.count("lambdas.signed.json: not JSON") == 1
    table.write_text(text)
    assert cloud.code("api-dev") == before
    signed.edit("api", "newer")
    signed.commit("Newer")
    errors = signed.lambdas("deploy", "api", "--env", "dev", code=1).errors
    assert "run 'lambdas publish --signing-profile NAME', and deploy with --from" in errors
    assert cloud.code("api-dev") == before
    assert cloud.code("api-dev") != publish(signed)["signed_from"]["sha256"]
    assert cloud.code("api-dev") != before


def test_refused(signed: Checkout, cloud: Cloud) -> None:
    """Where the code signing configuration refuses a ZIP, the message says how to sign it."""
    signed.edit("jobs", "newer")
    signed.commit("Newer")

    def refuse(method: str, path: str, _: bytes) -> tuple[int, str, str] | None:
        if method != "PUT" or not path.endswith("jobs-dev/code"):
            return None
        text = "The code signature failed one or more of the validation checks"
        return 400, "CodeVerificationFailedException", text

    cloud.gate.refuse = refuse
    output = signed.lambdas("deploy", "jobs", "--env", "dev", code=1).output
    assert "the code signing configuration refuses the code for 'jobs-dev': The code" in output
    assert "run 'lambdas publish" not in output
    assert "publish with 'lambdas publish --signing-profile NAME'" in output


def test_rollback(signed: Checkout, cloud: Cloud) -> None:
    """A rollback to a commit finds the version with the signed code of that commit."""
    first = signed.git("rev-parse", "HEAD")
    signed.edit("api", "newer")
    signed.commit("Newer")
    publish(signed)
    assert cloud.alias("api-dev") == "2"
    signed.lambdas("rollback", "api", "--env", "dev", "--alias", "live", "--to", first)
    assert cloud.alias("api-dev") == "1"
    assert cloud.versions("api-dev") == ["1", "2"]
