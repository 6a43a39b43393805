"""A plan with the real provider has every change, and no change where there is none."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.conftest import HANDLER, Repository
from tests.remote.servers import Proxy
from tests.terraform import machine
from tests.terraform.conftest import BUCKET, MANIFEST, Deployed, index
from tests.test_store import clone

pytestmark = pytest.mark.slow

API = 'aws_lambda_function.function["api"]'
JOBS = 'aws_lambda_function.function["jobs"]'


def elsewhere(world: Deployed, name: str) -> Repository:
    """Check the current commit out at another path, and initialise it there."""
    before = os.umask(0o077)
    try:
        checkout = clone(world.current, f"{name}/deeper")
        world.terraform.init(checkout)
    finally:
        os.umask(before)
    return checkout


def test_lambda_reports_our_hashes(deployed: Deployed) -> None:
    """`CodeSha256` of each function and layer is the hash of its ZIP."""
    client = deployed.client("lambda")
    entries = index(deployed.current)
    for name in ("api", "jobs"):
        found = client.get_function(FunctionName=name)
        assert found["Configuration"]["CodeSha256"] == entries[name]["source_code_hash"]
        assert found["Configuration"]["Runtime"] == "python3.13"
        assert found["Tags"] == {"lambda-zip:id": name}
    layer = client.get_layer_version(LayerName="common", VersionNumber=1)
    assert layer["Content"]["CodeSha256"] == entries["common"]["source_code_hash"]
    (used,) = client.get_function(FunctionName="api")["Configuration"]["Layers"]
    assert used["Arn"] == layer["LayerVersionArn"]


def test_a_plan_elsewhere_is_empty(deployed: Deployed) -> None:
    """After a build with another umask, time zone and path, or without any build, a plan is empty.

    With published objects, the checkout has no dist/ before and after the plan.
    """
    checkout = elsewhere(deployed, "elsewhere")
    if not deployed.is_published:
        before = os.umask(0o077)
        try:
            checkout.lambdas("build", TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="7")
        finally:
            os.umask(before)
    done = deployed.terraform.plan(checkout, code=0)
    assert done.changes == {}
    assert "Lambda runs other code" not in done.warnings
    assert (checkout.root / "dist").exists() != deployed.is_published


def test_an_edit_planned_here_and_applied_there(deployed: Deployed) -> None:
    """An edit changes the hash, and the object, of one function; another machine applies the plan.

    The second machine has the commit, and for functions from dist/ also that folder as an artifact
    of the first. No object is destroyed.
    """
    author = elsewhere(deployed, "author")
    author.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    before = deployed.running()
    deployed.release(author)
    assert deployed.terraform.plan(author, code=2).changes == {API: "update"}
    (resource,) = deployed.terraform.planned(author)
    code = {"s3_key", "s3_object_version"} if deployed.is_published else set()
    assert machine.changed(resource) - {"last_modified", "code_sha256"} == {
        "source_code_hash",
        *code,
    }
    deployed.current = author
    runner = elsewhere(deployed, "runner")
    shutil.copyfile(author.root / "infra/planned", runner.root / "infra/planned")
    if not deployed.is_published:
        shutil.copytree(author.root / "dist", runner.root / "dist")
    deployed.terraform.apply(runner)
    after = deployed.running()
    assert after == before | {"api": index(author)["api"]["source_code_hash"]} != before
    if deployed.is_published:
        assert not (runner.root / "dist").exists()
        objects = deployed.client("s3").list_object_versions(Bucket=BUCKET)
        assert len(objects["Versions"]) == len(index(author)) + 1
        assert "DeleteMarkers" not in objects


@pytest.mark.parametrize("deployed", ["published"], indirect=True)
def test_an_edited_layer(deployed: Deployed) -> None:
    """A layer gets a new version, and its function uses that; the function's code stays."""
    author = elsewhere(deployed, "layer")
    author.write({"libs/acme.py": "A = 2\n"})
    deployed.release(author)
    layer = 'aws_lambda_layer_version.layer["common"]'
    assert deployed.terraform.plan(author, code=2).changes == {layer: "replace", API: "update"}
    (function,) = (one for one in deployed.terraform.planned(author) if one["address"] == API)
    assert machine.changed(function) - {"last_modified"} == {"layers"}


@pytest.mark.parametrize("deployed", ["built"], indirect=True)
def test_a_plan_with_another_dist_is_not_applied(deployed: Deployed) -> None:
    """If the second machine has the dist/ of another commit, no function changes."""
    author = elsewhere(deployed, "third")
    author.write({"lambdas/jobs/app.py": HANDLER + "# planned\n"})
    author.lambdas("build")
    assert deployed.terraform.plan(author, code=2).changes == {JOBS: "update"}
    before = deployed.running()
    author.write({"lambdas/jobs/app.py": HANDLER + "# another commit\n"})
    author.lambdas("build")
    failed = deployed.terraform.apply(author, code=1)
    assert "inconsistent final plan" in failed.output
    assert deployed.running() == before


@pytest.fixture
def changed_outside(deployed: Deployed) -> Iterator[Repository]:
    """Give a checkout of the deployed commit, after someone changed the code of `jobs`."""
    checkout = elsewhere(deployed, "watching")
    shutil.copytree(deployed.current.root / "dist", checkout.root / "dist")
    client, zips = deployed.client("lambda"), deployed.current.root / "dist"
    client.update_function_code(FunctionName="jobs", ZipFile=(zips / "api.zip").read_bytes())
    yield checkout
    client.update_function_code(FunctionName="jobs", ZipFile=(zips / "jobs.zip").read_bytes())


@pytest.mark.parametrize("deployed", ["built"], indirect=True)
def test_code_changed_outside(deployed: Deployed, changed_outside: Repository) -> None:
    """`source_code_hash` does not see it; the page's check does, and `code_sha256` where settable.

    The provider of the image is 5.100, which only reports `code_sha256`.
    """
    done = deployed.terraform.plan(changed_outside, code=0)
    assert done.changes == {}
    assert "Lambda runs other code than this configuration has: jobs" in done.warnings
    shown = deployed.terraform.run(changed_outside, "providers", "schema", "-json").output
    provider = json.loads(shown)["provider_schemas"]["registry.terraform.io/hashicorp/aws"]
    function = provider["resource_schemas"]["aws_lambda_function"]["block"]["attributes"]
    assert function["code_sha256"].get("optional", False) == deployed.terraform.sets_code_sha256
    assert "s3_object_storage_mode" not in function
    if deployed.terraform.sets_code_sha256:
        text = (changed_outside.root / "infra/functions.tf").read_text()
        text = text.replace(
            "  source_code_hash  = each.value.source_code_hash\n",
            "  code_sha256       = each.value.code_sha256\n",
            1,
        )
        changed_outside.write({"infra/functions.tf": text})
        assert deployed.terraform.plan(changed_outside, code=2).changes == {JOBS: "update"}


@pytest.mark.parametrize("deployed", ["built"], indirect=True)
def test_an_apply_that_failed(deployed: Deployed) -> None:
    """After a failed upload the state has the new hash: a plan is empty, and the check warns."""
    author = elsewhere(deployed, "failing")
    author.write({"lambdas/jobs/app.py": HANDLER + "# not uploaded\n"})
    author.lambdas("build")
    assert deployed.terraform.plan(author, code=2).changes == {JOBS: "update"}
    before = deployed.running()
    port = urlsplit(deployed.terraform.environment["AWS_ENDPOINT_URL"]).port
    assert port
    proxy = Proxy(port, harm=lambda method, path: "403" * (method == "PUT" and "jobs/code" in path))
    variables = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
    refused = replace(deployed.terraform, environment=deployed.terraform.environment | variables)
    refused.apply(author, code=1)
    proxy.stop()
    assert proxy.count("PUT", "jobs/code") == 1
    assert deployed.running() == before
    done = deployed.terraform.plan(author, code=0)
    assert done.changes == {}
    assert "Lambda runs other code than this configuration has: jobs" in done.warnings
    content = (author.root / "dist/jobs.zip").read_bytes()
    deployed.client("lambda").update_function_code(FunctionName="jobs", ZipFile=content)
    deployed.current = author


@pytest.mark.parametrize("deployed", ["built"], indirect=True)
def test_a_second_architecture(deployed: Deployed) -> None:
    """With `moved` and its name, the earlier function stays; only the second one is added."""
    checkout = elsewhere(deployed, "moving")
    architectures = "  jobs:\n    architecture: [x86_64, arm64]\n"
    functions = (checkout.root / "infra/functions.tf").read_text()
    named = 'function_name     = lookup(local.names, each.key, replace(each.key, ".", "-"))'
    assert named.replace("     = ", " = ") in machine.PAGE.read_text()
    moved = functions.replace('function_name     = replace(each.key, ".", "-")', named)
    assert moved != functions
    checkout.write({
        "lambdas.yaml": MANIFEST.replace("  jobs:\n", architectures),
        "infra/functions.tf": moved,
        "infra/moved.tf": machine.page("infra/moved.tf"),
    })  # fmt: skip
    checkout.lambdas("build")
    deployed.terraform.plan(checkout, code=2)
    planned = {one["address"]: one for one in deployed.terraform.planned(checkout)}
    actions = {name: one["change"]["actions"] for name, one in planned.items()}
    stays = 'aws_lambda_function.function["jobs-py3.13-x86_64"]'
    comes = 'aws_lambda_function.function["jobs-py3.13-arm64"]'
    assert actions == {stays: ["update"], comes: ["create"]}
    assert planned[stays]["previous_address"] == JOBS
    # The hash stays as it is: only the tag and the ZIP's file have the new id.
    changed = machine.changed(planned[stays]) - {"last_modified"}
    assert changed == {"filename", "tags", "tags_all"}
    assert planned[comes]["change"]["after"]["function_name"] == "jobs-py3-13-arm64"
