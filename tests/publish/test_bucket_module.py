"""terraform/bucket: a private bucket with versions, where nothing is replaced."""

import fnmatch
import glob
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Repository
from tests.publish.conftest import Bucket, aws, git
from tests.remote.servers import Proxy

MODULE = Path(__file__).parents[2] / "terraform/bucket"
_AWS = "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*"
_MIRRORS = ("/opt/*", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins")

MAIN = """
provider "aws" {
  region                      = "eu-west-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

resource "aws_iam_openid_connect_provider" "github" {
  url             = "https://token.actions.githubusercontent.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["0000000000000000000000000000000000000000"]
}

variable "subjects" {
  type    = set(string)
  default = ["repo:acme/lambdas:ref:refs/heads/main"]
}

variable "profiles" {
  type    = set(string)
  default = []
}

module "code" {
  source             = "%(module)s"
  bucket             = "%(bucket)s"
  admin_arns         = ["arn:aws:iam::123456789012:role/admin"]
  reader_arns        = ["arn:aws:iam::210987654321:role/promote"]
  lambda_account_ids = ["123456789012"]
  oidc_provider_arn  = aws_iam_openid_connect_provider.github.arn
  oidc_subjects      = var.subjects

  signing_profile_arns = var.profiles
  role_name          = "%(bucket)s"
}

output "code" {
  value = module.code
}
"""


def plugins() -> str:
    """Return the folder with the AWS provider; skip without it or Terraform."""
    found = [path for mirror in _MIRRORS for path in glob.glob(f"{mirror}/{_AWS}")]
    if not found or not shutil.which("terraform"):
        assert "CI" not in os.environ, "CI needs terraform and the provider hashicorp/aws"
        pytest.skip("this machine lacks terraform or the provider hashicorp/aws")
    return str(Path(found[0]).parents[5])


def terraform(folder: Path, environment: dict[str, str], *command: str, code: int = 0) -> str:
    """Run Terraform, check its exit code, and return its output."""
    done = subprocess.run(
        ["terraform", *command],
        cwd=folder,
        env=environment | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.mark.slow
def test_the_module(built: Repository, moto: int, proxy: Proxy, tmp_path: Path) -> None:
    """The real provider applies the module, a second plan is empty, a pattern of branches is
    refused, and `publish` fills the bucket.
    """
    name = f"acme-{uuid.uuid4().hex[:12]}"
    folder = tmp_path / "infra"
    folder.mkdir()
    (folder / "main.tf").write_text(MAIN % {"module": MODULE, "bucket": name})
    environment = built.environment
    terraform(folder, environment, "init", "-no-color", f"-plugin-dir={plugins()}")
    terraform(folder, environment, "validate", "-no-color")
    terraform(folder, environment, "apply", "-no-color", "-auto-approve")
    terraform(folder, environment, "plan", "-no-color", "-detailed-exitcode")
    subjects = 'subjects=["repo:acme/lambdas:*"]'
    refused = terraform(folder, environment, "plan", "-no-color", "-var", subjects, code=1)
    assert "Name each branch or environment" in " ".join(refused.split())
    outputs = json.loads(terraform(folder, environment, "output", "-json"))["code"]["value"]
    assert outputs["url"] == f"s3://{name}/code"
    bucket = Bucket(name, proxy, aws(moto, "s3"))
    _check_bucket(bucket)
    _check_role(aws(moto, "iam"), name, outputs)
    profiles = 'profiles=["arn:aws:signer:eu-west-1:123456789012:/signing-profiles/Lambda"]'
    terraform(folder, environment, "apply", "-no-color", "-auto-approve", "-var", profiles)
    _check_signing(aws(moto, "iam"), bucket)
    # moto applies statements of a policy whatever their conditions are.
    bucket.client.delete_bucket_policy(Bucket=name)
    assert "3 uploaded" in built.lambdas("publish", "--bucket", outputs["url"]).output
    assert git(built, "status", "--porcelain") == "?? lambdas.published.json"


def _check_bucket(bucket: Bucket) -> None:
    client, name = bucket.client, bucket.name
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    blocked = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    policy = json.loads(client.get_bucket_policy(Bucket=name)["Policy"])
    statements: dict[str, Any] = {one["Sid"]: one for one in policy["Statement"]}
    create = statements["CreateOnly"]
    assert (create["Effect"], create["Action"]) == ("Deny", "s3:PutObject")
    assert create["Resource"] == f"arn:aws:s3:::{name}/code/*"
    assert create["Condition"]["Null"] == {"s3:if-none-match": "true"}
    versions = statements["VersionsStay"]
    assert (versions["Effect"], versions["Action"]) == ("Deny", "s3:DeleteObjectVersion")
    admins = {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/admin"}
    assert versions["Condition"] == {"ArnNotLike": admins}
    code = statements["LambdaReadsCode"]
    assert code["Principal"] == {"Service": "lambda.amazonaws.com"}
    source = {"aws:SourceArn": "arn:*:lambda:*:123456789012:*"}
    assert code["Condition"] == {"ArnLike": source}
    assert statements["Readers"]["Principal"] == {"AWS": "arn:aws:iam::210987654321:role/promote"}


def _check_signing(client: Any, bucket: Bucket) -> None:  # noqa: ANN401
    """Check that Signer may write, that published objects stay protected, and the role's rights."""
    text = bucket.client.get_bucket_policy(Bucket=bucket.name)["Policy"]
    (create,) = [one for one in json.loads(text)["Statement"] if one["Sid"] == "CreateOnly"]
    pattern = create["Resource"]
    start = f"arn:aws:s3:::{bucket.name}/code/"
    assert fnmatch.fnmatchcase(f"{start}{'0' * 64}.zip", pattern)
    assert not fnmatch.fnmatchcase(f"{start}signing/{uuid.uuid4()}.zip", pattern)
    policy = client.get_role_policy(RoleName=bucket.name, PolicyName="publish")["PolicyDocument"]
    rows = {str(_many(one["Action"])[0]): one["Resource"] for one in policy["Statement"]}
    profile = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/Lambda"
    assert {rows["signer:StartSigningJob"], rows["signer:ListSigningJobs"]} == {profile, "*"}


def _check_role(client: Any, name: str, outputs: dict[str, Any]) -> None:  # noqa: ANN401
    role = client.get_role(RoleName=name)["Role"]
    assert role["Arn"] == outputs["role_arn"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert trust["Condition"]["StringEquals"] == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": "repo:acme/lambdas:ref:refs/heads/main",
    }
    policy = client.get_role_policy(RoleName=name, PolicyName="publish")["PolicyDocument"]
    allowed = {action for one in policy["Statement"] for action in _many(one["Action"])}
    assert allowed == {"s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
