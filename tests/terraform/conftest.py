"""Functions and layers, deployed once for all tests: from dist/, and from a list of objects."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import account as aws
from tests.conftest import HANDLER, Repository
from tests.terraform import machine

BUCKET = "acme-builds"
MANIFEST = """\
version: 1
layers:
  common:
    include: [libs/acme.py]
lambdas:
  api:
    handler: app.handler
    layers: [common]
  jobs:
    handler: app.handler
"""

# The rest of a user's configuration. The settings keep the provider from calls that only AWS knows.
_ACCOUNT = """\
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
  backend "local" {
    path = "%(state)s"
  }
}

provider "aws" {
  region                      = "%(region)s"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

resource "aws_iam_role" "lambda" {
  name               = "lambda-%(region)s"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}
"""


@dataclass
class Deployed:
    """An account with the functions of a checkout: `current` has the state of the last apply."""

    mode: str
    current: Repository
    terraform: machine.Terraform
    client: Callable[[str], Any]

    @property
    def is_published(self) -> bool:
        """Whether the code comes from S3."""
        return self.mode == "published"

    def release(self, checkout: Repository) -> None:
        """Build, and publish if the code comes from S3."""
        checkout.lambdas("build")
        if self.is_published:
            publish(checkout, self.client("s3"))

    def running(self) -> dict[str, str]:
        """Return Lambda's hash of the code of each function."""
        functions = self.client("lambda").list_functions()["Functions"]
        return {function["FunctionName"]: function["CodeSha256"] for function in functions}


def index(checkout: Repository) -> dict[str, dict[str, Any]]:
    """Return the entries of all functions and layers."""
    entries: dict[str, dict[str, Any]] = {}
    for name in ("lambdas.json", "layers.json"):
        entries |= json.loads((checkout.root / "dist" / name).read_text())
    return entries


def publish(checkout: Repository, s3: Any) -> None:  # noqa: ANN401 - boto3 makes it at run time
    """Upload each ZIP that the bucket lacks, and write the list of all."""
    listed = {}
    for name, entry in index(checkout).items():
        key = f"lambdas/{entry['sha256']}.zip"
        path = checkout.root / entry.pop("path")
        if s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"]:
            version = s3.head_object(Bucket=BUCKET, Key=key)["VersionId"]
        else:
            put = s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes(), IfNoneMatch="*")
            version = put["VersionId"]
        place = {"s3_bucket": BUCKET, "s3_key": key, "s3_object_version": version}
        listed[name] = entry | place
    text = json.dumps(listed, indent=2, sort_keys=True) + "\n"
    (checkout.root / "lambdas.published.json").write_text(text)


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, str]]:
    """Give the variables of an AWS account."""
    with aws.served("eu-west-1") as variables:
        yield variables


@pytest.fixture(scope="module", params=["built", "published"])
def deployed(
    request: pytest.FixtureRequest,
    account: dict[str, str],
    plain_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployed:
    """Give an account in which Terraform made the functions and layers of a checkout."""
    plugins = machine.plugins()
    mode, top = request.param, tmp_path_factory.mktemp(request.param)
    region = {"built": "eu-west-1", "published": "eu-central-1"}[mode]
    settings = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    terraform = machine.Terraform(plugins, top / "terraform.tfstate", account | settings)
    checkout = Repository(top / "first", dict(plain_environment))
    world = Deployed(mode, checkout, terraform, partial(aws.client, account, region=region))
    _write(checkout, top / "terraform.tfstate", region, is_published=world.is_published)
    if world.is_published:
        s3 = world.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    world.release(checkout)
    terraform.init(checkout)
    terraform.plan(checkout, code=2)
    terraform.apply(checkout)
    return world


def _write(checkout: Repository, state: Path, region: str, *, is_published: bool) -> None:
    functions = machine.page("infra/functions.tf")
    checkout.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": HANDLER,
        "lambdas/jobs/app.py": HANDLER + "# jobs\n",
        "libs/acme.py": "A = 1\n",
        "infra/account.tf": _ACCOUNT % {"state": state, "region": region},
        "infra/functions.tf": machine.with_published(functions) if is_published else functions,
        "infra/check.tf": machine.page("infra/check.tf"),
    })  # fmt: skip
    checkout.lambdas("terraform-module", "infra/lambdas")
