"""From a commit to running code and back, with every command of the way and the same bytes."""

import json
import uuid
from typing import Any

import pytest

from tests.live.conftest import Checkout, Cloud


@pytest.fixture
def buckets(moto: int) -> dict[str, str]:
    """Give a bucket for development and one for production, by their prefixes as URLs."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{moto}",
        region_name="eu-west-1",
        aws_access_key_id="admin",
        aws_secret_access_key="admin",  # noqa: S106 - nobody checks it
    )
    found = {}
    for kind in ("dev", "prod"):
        name = f"story-{uuid.uuid4().hex[:8]}-{kind}"
        client.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        found[kind] = f"s3://{name}/code"
    return found


def entries(checkout: Checkout, name: str = "lambdas.published.json") -> dict[str, Any]:
    """Return a published list."""
    value: dict[str, Any] = json.loads((checkout.root / name).read_text())
    return value


def release(checkout: Checkout, bucket: str, subject: str) -> None:
    """Build, record, publish and commit, as a pipeline does."""
    checkout.lambdas("build")
    checkout.lambdas("record")
    checkout.lambdas("publish", "--bucket", bucket)
    checkout.git("add", "-A")
    checkout.git("commit", "-q", "-m", subject)


def deploy(checkout: Checkout) -> dict[str, str]:
    """Deploy the published objects, and return what became of each function."""
    options = ("--env", "dev", "--alias", "live", "--from", "lambdas.published.json")
    done = checkout.lambdas("deploy", *options, "--json")
    return {one["id"]: one["state"] for one in json.loads(done.output)["functions"]}


def test_from_a_commit_to_running_code_and_back(
    checkout: Checkout, cloud: Cloud, moto: int, buckets: dict[str, str]
) -> None:
    """Objects that are published are deployed, found by drift, kept by gc, promoted and rebuilt."""
    checkout.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{moto}"
    for name in ("api", "jobs"):
        cloud.create(f"{name}-dev", checkout.zip(name))
        version = cloud.client.publish_version(FunctionName=f"{name}-dev")["Version"]
        cloud.client.create_alias(FunctionName=f"{name}-dev", Name="live", FunctionVersion=version)
    release(checkout, buckets["dev"], "Publish")
    first = {name: entry["sha256"] for name, entry in entries(checkout).items()}
    assert deploy(checkout) == {"api": "up_to_date", "jobs": "up_to_date"}

    checkout.edit("api", "second")
    release(checkout, buckets["dev"], "Second")
    second = {name: entry["sha256"] for name, entry in entries(checkout).items()}
    assert (second["api"] != first["api"], second["jobs"]) == (True, first["jobs"])
    behind = checkout.states(code=1)
    assert (behind["api"]["state"], behind["api"]["behind"]) == ("behind", 1)
    assert behind["jobs"]["state"] == "up_to_date"

    for path in (checkout.root / "dist").iterdir():  # published objects need no ZIP here
        path.unlink()
    assert deploy(checkout) == {"api": "deployed", "jobs": "up_to_date"}
    assert cloud.code("api-dev", cloud.alias("api-dev")) == second["api"]
    checkout.lambdas("build")
    assert {one["state"] for one in checkout.states("--alias", "live", code=0).values()} == {
        "up_to_date"
    }

    checkout.lambdas("promote", "--bucket", buckets["prod"])
    promoted = entries(checkout, "lambdas.published.production.json")
    assert {name: entry["sha256"] for name, entry in promoted.items()} == second
    assert {entry["s3_bucket"] for entry in promoted.values()} == {buckets["prod"].split("/")[2]}

    checkout.lambdas("rollback", "api", "--env", "dev", "--alias", "live")
    assert cloud.code("api-dev", cloud.alias("api-dev")) == first["api"]
    assert checkout.states("--alias", "live", code=1)["api"]["state"] == "behind"

    # No list has the first code any more, and git's history is not asked: a version runs it.
    found = checkout.lambdas("gc", "--keep", "0d", "--age", "0d", "--json")
    assert json.loads(found.output)["unused"] == []
    assert "2 of 2 equal" in checkout.lambdas("rebuild").output
