"""`lambdas gc`: only what nothing uses goes, and only after a look at all that may use it."""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from buildlib.aws import account
from buildlib.commands.publish import gc
from buildlib.remote.objects import Address
from tests.conftest import Repository
from tests.publish.conftest import Bucket, aws, commit, edit, git, listed, output
from tests.remote.servers import Proxy

# All that protects an object is used, except time.
NOW = ("gc", "--age", "0d", "--keep", "0d")


@pytest.fixture
def replaced(built: Repository, bucket: Bucket) -> Repository:
    """Give a repository with a published list, after another one whose `api` is old."""
    built.lambdas("publish", "--bucket", bucket.url)
    commit(built, "publish")
    built.write({"old.json": json.dumps(listed(built)["api"])})
    edit(built, "# newer\n")
    built.lambdas("publish")
    (built.root / "old.json").rename(built.root.parent / "old.json")
    commit(built, "publish again")
    return built


def test_a_wrong_address(replaced: Repository, bucket: Bucket) -> None:
    """A bucket that does not exist is an error as of publish, and an empty prefix is said."""
    missing = f"s3://{bucket.name}-not"
    said = replaced.lambdas("publish", "--bucket", f"{missing}/x", code=1).errors
    failed = replaced.lambdas("gc", "--bucket", f"{missing}/x", code=1).errors
    remedy = f"{missing}: the bucket does not exist; correct the address, or make the bucket"
    assert remedy in said
    assert remedy in failed
    done = replaced.lambdas("gc", "--bucket", f"s3://{bucket.name}/cod")
    assert done.output.startswith(f"no object is below s3://{bucket.name}/cod; if ZIPs were")
    assert "unused" not in done.output


def old(repository: Repository) -> dict[str, Any]:
    """Return the entry of the object that no list has any more."""
    found: dict[str, Any] = json.loads((repository.root.parent / "old.json").read_text())
    return found


@pytest.fixture
def lambda_(moto: int, replaced: Repository) -> Callable[..., Any]:
    """Give a function that makes a function of Lambda from an entry, and removes it at the end."""
    client, iam = aws(moto, "lambda"), aws(moto, "iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    name = replaced.root.parent.name
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]

    def make(entry: dict[str, Any]) -> Any:  # noqa: ANN401 - a client of boto3
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Role=role,
            Code={"S3Bucket": entry["s3_bucket"], "S3Key": entry["s3_key"]},
        )
        return client, name

    return make


def test_nothing_is_removed_by_default(replaced: Repository, bucket: Bucket) -> None:
    """Without `--delete` the command only names what it would remove."""
    before = bucket.names()
    done = replaced.lambdas(*NOW)
    assert f"{old(replaced)['s3_key']}: " in done.output
    assert "1 (" in done.output
    assert "Nothing was removed; '--delete' does so" in done.output
    assert bucket.names() == before


def test_delete(replaced: Repository, bucket: Bucket) -> None:
    """`--delete` removes what no list uses: behind a delete marker, so that its version can still
    be read; `--versions` removes it for good. The others stay.
    """
    before = set(bucket.names())
    done = replaced.lambdas(*NOW, "--delete")
    assert "1 (" in done.output
    assert "'--versions' removes them, too" in done.output
    assert before - set(bucket.names()) == {old(replaced)["s3_key"]}
    assert len(bucket.read(old(replaced))) == old(replaced)["size"]
    assert "0 (0 B) removed" in replaced.lambdas(*NOW, "--delete").output
    assert "1 behind a delete marker" in replaced.lambdas(*NOW).output
    done = replaced.lambdas(*NOW, "--delete", "--versions")
    assert "2 (" in done.output
    with pytest.raises(bucket.client.exceptions.ClientError, match="NoSuchVersion"):
        bucket.read(old(replaced))
    for entry in listed(replaced).values():
        assert len(bucket.read(entry)) == entry["size"]


def test_defaults_protect(replaced: Repository) -> None:
    """New objects stay, and so do those that lists or records of the last 90 days had."""
    assert "0 (0 B) unused" in replaced.lambdas("gc", "--keep", "0d").output
    done = replaced.lambdas("gc", "--age", "0d")
    assert "0 (0 B) unused" in done.output
    assert "4 in lists or records of git" in done.output


def test_history(replaced: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that was in use in the days that are kept protects, also one that a commit of these
    days replaced; one that was replaced earlier does not.
    """

    def change(days: int) -> None:
        when = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        monkeypatch.setenv("GIT_COMMITTER_DATE", when)
        commit(replaced, f"{days} days ago")

    git(replaced, "checkout", "--quiet", "--orphan", "other")
    git(replaced, "branch", "-D", "main")
    record = replaced.root / "lambdas.hashes.json"
    record.unlink()
    new = (replaced.root / "lambdas.published.json").read_text()
    replaced.write({"lambdas.published.json": json.dumps({"api": old(replaced)})})
    change(200)
    replaced.write({"lambdas.published.json": new})
    change(50)
    assert "0 (0 B) unused" in replaced.lambdas("gc", "--age", "0d", "--keep", "90d").output
    done = replaced.lambdas("gc", "--age", "0d", "--keep", "40d")
    assert f"{old(replaced)['s3_key']}: " in done.output


@pytest.mark.parametrize(
    "how", ["branch", "tag", "annotated", "nested", "remote", "folder", "uncommitted"]
)
def test_every_list_protects(replaced: Repository, how: str) -> None:
    """A list protects at the tip of a branch or tag, in any folder, and uncommitted."""
    assert "1 (" in replaced.lambdas(*NOW).output
    before = git(replaced, "rev-parse", "HEAD~2")
    content = json.dumps({"api": old(replaced)})
    match how:
        case "branch":
            git(replaced, "branch", "release", before)
        case "tag":
            git(replaced, "tag", "v1", before)
        case "annotated":
            git(replaced, "tag", "--annotate", "--message", "v1", "v1", before)
        case "nested":
            git(replaced, "tag", "--annotate", "--message", "v1", "v1", before)
            git(replaced, "tag", "--annotate", "--message", "v2", "v2", "v1")
            git(replaced, "tag", "--delete", "v1")
        case "remote":
            git(replaced, "update-ref", "refs/remotes/origin/release", before)
        case "folder":
            replaced.write({"team/lambdas.published.production.json": content})
            commit(replaced)
        case _:
            replaced.write({"lambdas.published.stage.json": content})
    assert "0 (0 B) unused" in replaced.lambdas(*NOW).output


def test_functions_protect(
    replaced: Repository, bucket: Bucket, lambda_: Callable[..., Any]
) -> None:
    """Code of a function stays, also of an earlier version, until the function is gone."""
    client, name = lambda_(old(replaced))
    assert "1 used by Lambda alone" in replaced.lambdas(*NOW, "--delete").output
    client.publish_version(FunctionName=name)
    entry = listed(replaced)["api"]
    code = {"S3Bucket": entry["s3_bucket"], "S3Key": entry["s3_key"]}
    client.update_function_code(FunctionName=name, **code)
    assert "1 used by Lambda alone" in replaced.lambdas(*NOW, "--delete").output
    assert old(replaced)["s3_key"] in bucket.names()
    client.delete_function(FunctionName=name)
    assert "1 (" in replaced.lambdas(*NOW, "--delete").output
    assert old(replaced)["s3_key"] not in bucket.names()


def test_layers_protect(replaced: Repository, bucket: Bucket, moto: int) -> None:
    """Code of a version of a layer stays."""
    before = listed(replaced)["common"]
    edit(replaced, "# newer\n", "libs/acme.py")
    replaced.lambdas("publish")
    commit(replaced)
    assert "2 (" in replaced.lambdas(*NOW).output
    client, name = aws(moto, "lambda"), replaced.root.parent.name
    content = {"S3Bucket": before["s3_bucket"], "S3Key": before["s3_key"]}
    client.publish_layer_version(LayerName=name, Content=content)
    done = replaced.lambdas(*NOW)
    assert "1 used by Lambda alone" in done.output
    assert before["s3_key"] not in done.output
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    assert bucket.names()


@pytest.mark.parametrize("part", ["/functions", "/layers"])
def test_lambda_cannot_be_asked(
    replaced: Repository, bucket: Bucket, proxy: Proxy, part: str
) -> None:
    """If Lambda does not list its functions or layers, nothing is removed, unless one says so."""
    proxy.harm = lambda _, path: "403" if part in path else ""
    before = bucket.names()
    failed = replaced.lambdas(*NOW, "--delete", code=1)
    assert "so nothing was removed" in failed.errors
    assert "--without-asking-lambda" in failed.errors
    assert "lambdas errors aws" in failed.errors
    assert bucket.names() == before
    assert "1 (" in replaced.lambdas(*NOW, "--delete", "--without-asking-lambda").output
    assert len(bucket.names()) == len(before) - 1


@pytest.mark.parametrize("how", ["--depth=1", "--single-branch"])
def test_an_incomplete_clone(replaced: Repository, bucket: Bucket, how: str) -> None:
    """A clone without the whole history or without all branches is refused with the remedy."""
    target = replaced.root.parent / "clone"
    source = replaced.root.as_uri()
    subprocess.run(["git", "clone", "--quiet", how, source, target], check=True)
    clone = Repository(target, replaced.environment)
    before = bucket.names()
    failed = clone.lambdas(*NOW, "--delete", code=1)
    remedy = "git fetch --unshallow" if how == "--depth=1" else "git remote set-branches origin"
    assert remedy in failed.errors
    assert bucket.names() == before


def test_outside_of_git(repository: Repository, bucket: Bucket) -> None:
    """Without git nothing is removed."""
    repository.environment |= bucket.variables | {"GIT_CEILING_DIRECTORIES": os.sep}
    failed = repository.lambdas(*NOW, "--bucket", bucket.url, "--delete", code=1)
    assert "not a git repository" in failed.errors


def test_other_files_stay(replaced: Repository, bucket: Bucket) -> None:
    """Files with other names, and those below other prefixes, are not touched."""
    sha256 = "0" * 64
    others = [
        f"code2/{sha256}.zip",
        f"code/deeper/{sha256}.zip",
        f"code/{sha256}.zip.sig",
        f"{sha256}.zip",
    ]
    for key in others:
        bucket.put(key, b"mine")
    assert "2 other files" in replaced.lambdas(*NOW, "--delete").output
    assert set(others) < set(bucket.names())


def test_ages(replaced: Repository, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object stays until it is older than the age; a younger version of it protects all."""
    for name, value in bucket.variables.items():
        monkeypatch.setenv(name, value)
    connected, where = account.connect(), Address(bucket.name, "code")
    rules = gc.Rules(keep=0, age=30)

    def found(days: float) -> list[str]:
        now = datetime.now(UTC) + timedelta(days=days)
        return [one.key for one in gc.find(replaced.root, connected, where, rules, now).unused]

    assert found(29.9) == []
    assert found(30.1) == [old(replaced)["s3_key"]]


def test_another_region(replaced: Repository) -> None:
    """A bucket of another region is refused, since its functions would not be asked."""
    failed = replaced.lambdas(*NOW, "--delete", code=1, AWS_REGION="us-west-2")
    assert "set AWS_REGION=eu-west-1, which is us-west-2 now" in failed.errors


def test_a_refused_removal(replaced: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """Without the permission to delete, the command fails and names it."""
    proxy.harm = lambda method, _: "403" if method == "POST" else ""
    before = bucket.names()
    failed = replaced.lambdas(*NOW, "--delete", code=1)
    assert "s3:Delete" in failed.errors
    assert bucket.names() == before


def test_json(replaced: Repository, bucket: Bucket) -> None:
    """`--json` has the objects that go, and how many stay for which reason."""
    done = output(replaced.lambdas(*NOW, "--json"))
    assert [one["s3_key"] for one in done["unused"]] == [old(replaced)["s3_key"]]
    assert done["kept"] == {"git": 3, "functions": 0, "young": 0, "hidden": 0, "others": 0}
    assert done["deleted"] is False
    assert bucket.url == done["bucket"]


def test_options(replaced: Repository) -> None:
    """Days are a number; anything else is refused."""
    failed = replaced.lambdas("gc", "--age", "soon", code=2)
    assert "expected a number of days, such as 30d, found 'soon'" in failed.errors
