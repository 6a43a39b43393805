"""SAM uploads a finished ZIP as it is, and deploys nothing after a rebuild elsewhere."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests import account as aws
from tests.conftest import Repository
from tests.deployers.checkouts import checkout, program, run, sources
from tests.documents import ROOT, blocks

pytestmark = pytest.mark.slow

(TEMPLATE,) = [
    block.content
    for block in blocks(ROOT / "docs/how-to/from-sam.md")
    if "CodeUri: dist/create_order.zip" in block.content
]
BUCKET = "sam-artifacts"


@pytest.fixture
def account() -> Iterator[dict[str, str]]:
    """Give the variables of an AWS account with one bucket."""
    with aws.served("us-east-1") as variables:
        s3 = aws.client(variables, "s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield variables | {"SAM_CLI_TELEMETRY": "0"}


def packaged(repository: Repository, account: dict[str, str]) -> dict[str, Any]:
    """Run `sam build` and `sam package`; return the resources of the new template."""
    sam = program("sam", "uv tool install aws-sam-cli")
    repository.write({"template.yaml": TEMPLATE})
    environment = repository.environment | account
    run(sam, "build", folder=repository.root, environment=environment)
    options = ("--s3-bucket", BUCKET, "--output-template-file", "packaged.yaml")
    run(sam, "package", *options, folder=repository.root, environment=environment)
    return dict(yaml.safe_load((repository.root / "packaged.yaml").read_text())["Resources"])


def test_packages(repository: Repository, account: dict[str, str]) -> None:
    """The objects are the ZIPs; a rebuild elsewhere uploads nothing, an edit one object."""
    s3 = aws.client(account, "s3")

    def uploads() -> Counter[str]:
        """Return the sha256 of each upload: a second one of a key is another version."""
        versions = s3.list_object_versions(Bucket=BUCKET)["Versions"]
        names = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
        bodies = (s3.get_object(Bucket=BUCKET, **name)["Body"].read() for name in names)
        return Counter(hashlib.sha256(body).hexdigest() for body in bodies)

    files = sources("create_order", "common", "lambda_handler")
    first = checkout(repository, "first", files)
    first.lambdas("build")
    resources = packaged(first, account)
    uploaded = uploads()
    assert uploaded == Counter(first.sha256().values())
    other = checkout(repository, "another/folder", files, umask=0o077)
    other.lambdas("build", TZ="Pacific/Kiritimati", LC_ALL="C")
    assert packaged(other, account) == resources
    assert uploads() == uploaded
    path = "lambdas/create_order/app.py"
    other.write({path: files[path] + "# edited\n"})
    other.lambdas("build")
    edited = packaged(other, account)
    assert uploads() - uploaded == Counter([other.sha256()["create_order"]])
    assert [name for name in edited if edited[name] != resources[name]] == ["CreateOrderFunction"]
    before = resources["CreateOrderFunction"]["Properties"]
    after = edited["CreateOrderFunction"]["Properties"]
    assert {key for key in after if before[key] != after[key]} == {"CodeUri"}
