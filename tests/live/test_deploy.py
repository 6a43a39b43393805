"""`lambdas deploy`: new code, a version and an alias, only where the code differs."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.live.conftest import Checkout, Cloud, no_secret, sha256
from tests.live.test_drift import foreign
from tests.publish.conftest import aws
from tests.test_cli import SCHEMA


def deploy(checkout: Checkout, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the outcomes of `lambdas deploy --json` by their ids."""
    done = checkout.lambdas("deploy", "--env", "dev", "--json", *arguments, code=code)
    answer = json.loads(done.output)
    jsonschema.validate(answer, SCHEMA)
    assert answer["exit_code"] == code
    return {one["id"]: one for one in answer["functions"]}


def many(checkout: Checkout, cloud: Cloud) -> list[str]:
    """Declare and deploy 12 functions, whose code is then another one; return their names."""
    names = [f"f{number:02}" for number in range(12)]
    rows = "".join(f"  {name}: {{handler: app.handler, source: lambdas/api}}\n" for name in names)
    checkout.write({
        "lambdas.yaml": f'version: 1\ndefaults: {{name: "{{lambda}}-{{env}}"}}\nlambdas:\n{rows}'
    })  # fmt: skip
    checkout.lambdas("build")
    for name in names:
        cloud.create(f"{name}-dev", foreign())
    cloud.gate.requests.clear()
    return names


def test_a_day(deployed: Checkout, cloud: Cloud) -> None:
    """From an edit to a deployment: drift says it, and exactly one function changes."""
    assert {one["state"] for one in deploy(deployed).values()} == {"up_to_date"}
    assert cloud.gate.writes == []
    deployed.edit("api", "new")
    deployed.commit("New")
    assert deployed.states(code=1)["api"]["behind"] == 1
    before = cloud.code("api-dev")
    found = deploy(deployed)
    assert found["api"]["state"] == "deployed"
    assert found["api"]["previous_sha256"] == before
    assert found["jobs"]["state"] == "up_to_date"
    assert cloud.gate.writes == ["api-dev/code"]
    assert cloud.code("api-dev") == deployed.sha256()["api"]
    assert {one["state"] for one in deployed.states(code=0).values()} == {"up_to_date"}


def test_an_alias(deployed: Checkout, cloud: Cloud) -> None:
    """With an alias a version is published and the alias is made or moved, only if code differs."""
    found = deploy(deployed, "--alias", "live")
    assert found["api"]["text"] == "version 1 published, alias 'live' points to it"
    assert (cloud.alias("api-dev"), cloud.alias("jobs-dev")) == ("1", "1")
    cloud.gate.requests.clear()
    assert {one["state"] for one in deploy(deployed, "--alias=live").values()} == {"up_to_date"}
    assert cloud.gate.writes == []
    deployed.edit("api", "new")
    deployed.lambdas("build")
    done = deployed.lambdas("deploy", "--env", "dev", "--alias", "live")
    digest = deployed.sha256()["api"]
    *lines, total = done.output.splitlines()
    assert total == "1 deployed, 1 up to date"
    change = f"code updated to {digest[:12]}, version 2 published, alias 'live' points to it"
    shown = [f"api (api-dev): {change} (before: 1)", "jobs (jobs-dev): up to date"]
    assert sorted(lines) == shown  # in the order in which they are done
    assert cloud.code("api-dev", "live") == digest
    assert (cloud.versions("api-dev"), cloud.versions("jobs-dev")) == (["1", "2"], ["1"])
    assert deployed.states("--alias", "live", code=0)["api"]["version"] == "2"


def test_code_that_no_commit_records(deployed: Checkout, moto: int) -> None:
    """A build of edits that are not committed is deployed with a warning, once for all of them;
    not with a list, and not in a repository without a committed record.
    """
    arguments = ("deploy", "--env", "dev")
    for name in ("api", "jobs"):
        deployed.edit(name, "new")
    deployed.lambdas("build")
    deployed.lambdas("record")
    done = deployed.lambdas(*arguments, "--dry-run")
    assert "warning: api, jobs: no commit records this code; run 'lambdas record'" in done.errors
    assert "2 deployed" in deployed.lambdas(*arguments).output
    assert deployed.lambdas(*arguments).errors == ""
    deployed.commit("New")
    for name in ("api", "jobs"):
        deployed.edit(name, "x")
    deployed.commit("Newer")
    assert deployed.lambdas(*arguments).errors == ""
    deployed.edit("api", "new")  # an earlier commit records it
    deployed.lambdas("build")
    assert deployed.lambdas(*arguments).errors == ""
    deployed.edit("api", "published")
    deployed.lambdas("build")
    published(deployed, moto)
    assert deployed.lambdas(*arguments, "--from", "lambdas.published.json").errors == ""
    deployed.git("rm", "-q", "--cached", "lambdas.hashes.json")
    deployed.git("commit", "-q", "-m", "No record")
    deployed.edit("api", "other")
    deployed.lambdas("build")
    done = deployed.lambdas(*arguments)
    assert ("1 deployed" in done.output, done.errors) == (True, "")


def test_dry_run(deployed: Checkout, cloud: Cloud) -> None:
    """`--dry-run` says what would change, and changes nothing."""
    deployed.edit("api", "new")
    deployed.lambdas("build")
    done = deployed.lambdas("deploy", "--env", "dev", "--alias", "live", "--dry-run")
    digest = deployed.sha256()["api"]
    assert (
        f"api (api-dev): update the code to {digest[:12]}, publish a version, and point the alias "
        "'live' to it"
    ) in done.output
    assert "2 to deploy" in done.output
    assert cloud.gate.writes == []


def test_all_are_checked_first(deployed: Checkout, cloud: Cloud) -> None:
    """A refused function is said, together with the others, before anything is changed."""
    deployed.edit("api", "new")
    deployed.edit("jobs", "new")
    deployed.lambdas("build", "jobs")
    done = deployed.lambdas("deploy", "--env", "dev", code=1)
    assert "api: dist/api.zip is out of date; run 'lambdas build api'" in done.errors
    assert cloud.gate.writes == []
    deployed.lambdas("build")
    for name in ("api", "jobs"):
        cloud.client.delete_function(FunctionName=f"{name}-dev")
    cloud.create("api-dev", foreign(), Architectures=["arm64"])
    done = deployed.lambdas("deploy", "--env", "dev", code=1)
    assert "jobs: 'jobs-dev' does not exist in eu-west-1: Function not found" in done.errors
    assert "create the function first" in done.errors
    cloud.create("jobs-dev", foreign())
    done = deployed.lambdas("deploy", "--env", "dev", code=1)
    assert "has the architecture arm64, and the ZIP is for x86_64; change one" in done.errors
    assert cloud.gate.writes == []


def test_too_large(deployed: Checkout, cloud: Cloud) -> None:
    """A ZIP above Lambda's limit for direct uploads is refused, with the way to deploy it."""
    deployed.write({"lambdas/api/model.bin": os.urandom(51 << 20)})
    deployed.lambdas("build")
    done = deployed.lambdas("deploy", "--env", "dev", code=1)
    assert "api: its ZIP has 51.0 MB, and Lambda takes at most 50.0 MB directly" in done.errors
    assert "lambdas publish" in done.errors
    assert cloud.gate.writes == []


def published(checkout: Checkout, moto: int) -> dict[str, Any]:
    """Put both ZIPs into a versioned bucket, and write the list of them."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{moto}",
        region_name="us-east-1",
        aws_access_key_id="admin",
        aws_secret_access_key="admin",  # noqa: S106 - nobody checks it
    )
    client.create_bucket(Bucket="code")
    versioning = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket="code", VersioningConfiguration=versioning)
    found = {}
    for name in ("api", "jobs"):
        content = checkout.zip(name)
        key = f"zips/{sha256(content)}.zip"
        version = client.put_object(Bucket="code", Key=key, Body=content)["VersionId"]
        entry = checkout.index()[name]
        entry.pop("path")
        found[name] = entry | {"s3_bucket": "code", "s3_key": key, "s3_object_version": version}
    text = json.dumps(found, indent=2, sort_keys=True) + "\n"
    checkout.write({"lambdas.published.json": text})
    return found


def test_a_published_list(deployed: Checkout, cloud: Cloud, moto: int) -> None:
    """With a published list, code comes from S3, and no ZIP is needed here."""
    deployed.edit("api", "new")
    deployed.commit("New")
    listed = published(deployed, moto)
    for path in (deployed.root / "dist").iterdir():
        path.unlink()
    found = deploy(deployed, "--from", "lambdas.published.json")
    assert (found["api"]["state"], found["jobs"]["state"]) == ("deployed", "up_to_date")
    assert cloud.code("api-dev") == listed["api"]["sha256"]


def test_another_object_in_the_list(deployed: Checkout, cloud: Cloud, moto: int) -> None:
    """An entry with the object of another function is refused before any change."""
    for name in ("api", "jobs"):
        deployed.edit(name, f"new {name}")
    deployed.commit("New")
    listed = published(deployed, moto)
    listed["api"] |= {name: listed["jobs"][name] for name in ("s3_key", "s3_object_version")}
    deployed.write({"lambdas.published.json": json.dumps(listed)})
    done = deployed.lambdas("deploy", "--env", "dev", "--from", "lambdas.published.json", code=1)
    key, right = listed["jobs"]["s3_key"], listed["api"]["sha256"]
    assert f"api: s3://code/{key}: the key does not name its sha256, {right}" in done.errors
    assert cloud.gate.writes == []


def test_another_object_in_the_bucket(deployed: Checkout, cloud: Cloud, moto: int) -> None:
    """If an object is not the listed code, Lambda's own hash gives it away; the error says that
    the function has it now, and the alias stays.
    """
    deploy(deployed, "--alias", "live")
    deployed.edit("api", "new")
    deployed.commit("New")
    listed = published(deployed, moto)
    client = aws(moto, "s3")
    made = client.put_object(Bucket="code", Key=listed["api"]["s3_key"], Body=foreign())
    listed["api"]["s3_object_version"] = made["VersionId"]
    deployed.write({"lambdas.published.json": json.dumps(listed)})
    options = ("--alias", "live", "--from", "lambdas.published.json")
    found = deploy(deployed, *options, code=1)
    assert found["api"]["state"] == "failed"
    text, right = found["api"]["text"], listed["api"]["sha256"]
    assert f"$LATEST now has code with the sha256 {sha256(foreign())}, not {right}" in text
    assert "the alias 'live' was not moved" in text
    assert "has other bytes than the list says" in text
    assert cloud.code("api-dev") == sha256(foreign())
    assert cloud.alias("api-dev") == "1"


def test_a_change_at_the_same_time(deployed: Checkout, cloud: Cloud) -> None:
    """A function that someone changes after the check is refused by its revision; others go on."""
    for name in ("api", "jobs"):
        deployed.edit(name, "new")
    deployed.commit("New")

    def meddle(method: str, path: str) -> None:
        if method == "PUT" and "api-dev/code" in path:
            cloud.gate.revisions["api-dev"] = 99

    cloud.gate.before = meddle
    found = deploy(deployed, code=1)
    assert "PreconditionFailedException" in found["api"]["text"]
    assert (
        "Someone else changed the function at the same time; run it again" in (found["api"]["text"])
    )
    assert found["jobs"]["state"] == "deployed"
    cloud.gate.before = lambda _, __: None
    assert deploy(deployed)["api"]["state"] == "deployed"


def test_other_code_is_never_published(deployed: Checkout, cloud: Cloud) -> None:
    """Code that comes between the upload and the version becomes no version, and no alias."""
    deploy(deployed, "--alias", "live")
    deployed.edit("api", "new")
    deployed.commit("New")

    def meddle(method: str, path: str) -> None:
        if method == "POST" and "api-dev/versions" in path:
            cloud.update("api-dev", foreign())

    cloud.gate.before = meddle
    found = deploy(deployed, "--alias", "live", code=1)
    assert found["api"]["text"].startswith("code updated to ")
    assert "CodeSHA256 is different" in found["api"]["text"]
    assert cloud.alias("api-dev") == "1"
    assert cloud.versions("api-dev") == ["1"]


def test_an_update_that_takes_time(deployed: Checkout, cloud: Cloud) -> None:
    """A version is published after the update is finished; a failed update says why."""
    deployed.edit("api", "new")
    deployed.commit("New")
    left = ["InProgress", "InProgress"]

    def slow(method: str, path: str, body: bytes) -> bytes:
        updated = cloud.gate.count("PUT", "api-dev/code")
        if method != "GET" or not updated or "/functions/api-dev" not in path or not left:
            return body
        answer = json.loads(body)
        answer["Configuration"] |= {"LastUpdateStatus": left.pop(), "LastUpdateStatusReason": "KMS"}
        return json.dumps(answer).encode()

    cloud.gate.change = slow
    assert deploy(deployed, "api", "--alias", "live")["api"]["state"] == "deployed"
    assert left == []
    requests = [path for _, path in cloud.gate.requests]
    looks = [
        n for n, path in enumerate(requests) if path.startswith("/2015-03-31/functions/api-dev")
    ]
    assert (
        len([n for n in looks if n < requests.index("/2015-03-31/functions/api-dev/versions")]) > 3
    )
    deployed.edit("api", "newer")
    deployed.commit("Newer")
    cloud.gate.requests.clear()
    left.append("Failed")
    found = deploy(deployed, "api", code=1)
    assert "the update of 'api-dev' failed: KMS" in found["api"]["text"]


def test_one_function_fails(deployed: Checkout, cloud: Cloud) -> None:
    """A function that AWS refuses does not stop another one, and the permission is named."""
    for name in ("api", "jobs"):
        deployed.edit(name, "new")
    deployed.commit("New")
    cloud.gate.refuse = lambda method, path, _: (
        (403, "AccessDeniedException", "no") if method == "PUT" and "api-dev" in path else None
    )
    done = deployed.lambdas("deploy", "--env", "dev", code=1)
    assert "lack the permission 'lambda:UpdateFunctionCode' for 'api-dev'" in done.output
    assert "1 deployed, 1 failed" in done.output
    assert cloud.code("jobs-dev") == deployed.sha256()["jobs"]


def test_expired_credentials_stop_it(checkout: Checkout, cloud: Cloud) -> None:
    """If every request would fail alike, no other function is started."""
    names = many(checkout, cloud)
    cloud.gate.refuse = lambda method, _, __: (
        (403, "ExpiredTokenException", "The token is expired") if method == "PUT" else None
    )
    found = deploy(checkout, code=1)
    states = [found[name]["state"] for name in names]
    assert states.count("failed") < 12
    assert states.count("failed") + states.count("not_started") == 12


@pytest.mark.skipif(sys.platform != "linux", reason="GNU env sets the signals")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c(checkout: Checkout, cloud: Cloud, sign: signal.Signals) -> None:
    """After Ctrl-C, functions in work are finished, and the output says which are done."""
    names = many(checkout, cloud)
    arrived = threading.Event()

    def hold(method: str, _: str) -> None:
        if method == "PUT":
            arrived.set()
            time.sleep(2)

    cloud.gate.before = hold
    # A shell without job control lets its background jobs ignore SIGINT.
    process = subprocess.Popen(
        [
            "env",
            "--default-signal=INT",
            checkout.python,
            "-m",
            "buildlib",
            "deploy",
            "--env",
            "dev",
            "--json",
        ],
        cwd=checkout.root,
        env=checkout.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert arrived.wait(60)
    process.send_signal(sign)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + sign, errors
    states = {one["id"]: one["state"] for one in json.loads(output)["functions"]}
    digests = checkout.sha256()
    done = [name for name in names if cloud.code(f"{name}-dev") == digests[name]]
    assert done == [name for name in names if states[name] == "deployed"]
    assert 0 < len(done) < 12
    assert sum(state == "not_started" for state in states.values()) == 12 - len(done)
    cloud.gate.before = lambda _, __: None
    assert {one["state"] for one in deploy(checkout).values()} == {"deployed", "up_to_date"}


def test_several_functions_of_a_variant(deployed: Checkout, cloud: Cloud) -> None:
    """By tags, drift shows every function of a variant; a deployment to two of them is refused."""
    manifest = (deployed.root / "lambdas.yaml").read_text()
    deployed.write(
        {"lambdas.yaml": manifest.replace('  name: "{lambda}-{env}"\n', "  python: '3.13'\n")}
    )
    for env in ("dev", "prod"):
        tags = {"lambda-zip:id": "api", "lambda-zip:env": env}
        cloud.create(f"tagged-{env}", deployed.zip("api"), Tags=tags)
    done = deployed.lambdas("drift", "api")
    assert "api (tagged-dev): up to date\napi (tagged-prod): up to date" in done.output
    done = deployed.lambdas("deploy", "api", code=1)
    assert "several functions have it: tagged-dev, tagged-prod; choose one" in done.errors
    assert deploy(deployed, "api")["api"]["function"] == "tagged-dev"
    done = deployed.lambdas("drift", "jobs", "--env", "dev", code=2)
    assert "jobs: no function is known: set 'name' in lambdas.yaml, or tag one" in done.output


def test_a_tag_of_another_repository(deployed: Checkout, cloud: Cloud, moto: int) -> None:
    """A function that only its tag names and that runs code from elsewhere is changed only if it
    is named; code of an earlier commit or list, or of dist/, is from here.
    """
    manifest = (deployed.root / "lambdas.yaml").read_text()
    own = manifest.replace('  name: "{lambda}-{env}"\n', "  python: '3.13'\n")
    deployed.write({"lambdas.yaml": own})
    first = deployed.zip("api")
    for name in ("api", "jobs"):
        cloud.create(f"tagged-{name}", deployed.zip(name), Tags={"lambda-zip:id": name})
    deployed.edit("api", "new")
    deployed.commit("New")
    done = deployed.lambdas("deploy")  # over the code of the first commit
    assert "1 deployed, 1 up to date" in done.output
    cloud.update("tagged-api", foreign())
    cloud.gate.requests.clear()
    failed = deployed.lambdas("deploy", code=1)
    assert "api: found by its tag as 'tagged-api', whose code is not from this" in failed.errors
    assert "If it is the right function, name it: 'lambdas deploy api ...'" in failed.errors
    assert "jobs" not in failed.errors
    assert cloud.gate.writes == []
    deployed.lambdas("deploy", "--dry-run", code=1)
    assert "1 deployed" in deployed.lambdas("deploy", "api").output
    deployed.write({"names.json": json.dumps({"api": "tagged-api", "jobs": "tagged-jobs"})})
    cloud.update("tagged-api", foreign())
    assert "1 deployed" in deployed.lambdas("deploy", "--terraform-state", "names.json").output
    # Without a record, the lists tell.
    deployed.git("checkout", "-q", "--orphan", "other")
    (deployed.root / "lambdas.hashes.json").unlink()
    listed = published(deployed, moto)
    deployed.git("add", "-A")
    deployed.git("commit", "-q", "-m", "A list")
    deployed.git("branch", "-q", "-D", "main")
    listed["api"] = listed["jobs"]
    deployed.write({"lambdas.published.json": json.dumps(listed)})
    deployed.git("commit", "-q", "-a", "-m", "Another list")
    deployed.edit("api", "newer")
    deployed.lambdas("build")
    assert "1 deployed" in deployed.lambdas("deploy").output
    cloud.update("tagged-api", first)
    deployed.lambdas("deploy", code=1)


def test_names_from_terraform(deployed: Checkout, cloud: Cloud, tmp_path: Path) -> None:
    """`terraform show -json` and `terraform output -json` give names; other values stay unseen."""
    cloud.create("tf-api", deployed.zip("api"))
    cloud.create("tf-jobs", deployed.zip("jobs"))
    resource = "aws_lambda_function"
    secret = {"environment": [{"variables": {"PASSWORD": "s3cr3t-of-a-function"}}]}
    code = deployed.index()["jobs"]["source_code_hash"]
    values = [
        {"function_name": "tf-api", "filename": "../dist/api.zip", **secret},
        {"function_name": "tf-jobs", "filename": None, "source_code_hash": code},
    ]
    module = {"resources": [{"type": resource, "values": one} for one in values]}
    state = {"values": {"root_module": {"resources": [], "child_modules": [module]}}}
    shown = tmp_path / "state.json"
    shown.write_text(json.dumps(state))
    done = deployed.lambdas("drift", "--terraform-state", str(shown))
    assert "api (tf-api): up to date\njobs (tf-jobs): up to date" in done.output
    no_secret(deployed.root, done.output, done.errors)
    shown.write_text(json.dumps({"names": {"value": {"api": "tf-api"}}, "n": {"value": 1}}))
    done = deployed.lambdas("drift", "--terraform-state", str(shown), code=2)
    assert "api (tf-api): up to date" in done.output
    assert f"jobs: no function is known: {shown} has none for it" in done.output
    shown.write_text("no JSON")
    done = deployed.lambdas("drift", "--terraform-state", str(shown), code=2)
    assert "is not JSON; write it with 'terraform show -json > FILE'" in done.errors


def test_no_secret_is_shown(deployed: Checkout) -> None:
    """Environment variables of functions reach neither output nor files."""
    deployed.edit("api", "new")
    deployed.commit("New")
    done = deployed.lambdas("deploy", "--env", "dev", "--alias", "live", "--json")
    no_secret(deployed.root, done.output, done.errors)


def test_a_list_for_another_target(deployed: Checkout, cloud: Cloud, moto: int) -> None:
    """A published ZIP of another runtime or architecture is refused before any change."""
    deployed.edit("api", "new")
    deployed.commit("New")
    listed = published(deployed, moto)
    listed["api"] |= {"architecture": "arm64"}
    deployed.write({"lambdas.published.json": json.dumps(listed)})
    options = ("--env", "dev", "--from", "lambdas.published.json")
    done = deployed.lambdas("deploy", *options, code=1)
    assert "the ZIP in lambdas.published.json is for python3.13 on arm64" in done.errors
    assert cloud.gate.writes == []


@pytest.mark.parametrize(
    ("name", "remedies"),
    [
        ("lambdas.published.json", ["run 'lambdas publish api'"]),
        (
            "lambdas.published.production.json",
            [
                "if 'lambdas promote' writes this list, run 'lambdas publish api' and",
                "'lambdas promote api'; if not, run 'lambdas publish api --list",
            ],
        ),
        (
            "lists/lambdas.published.eu.json",
            [
                "'lambdas promote api --list lists/lambdas.published.eu.json'",
                "'lambdas publish api --list lists/lambdas.published.eu.json'",
            ],
        ),
        ("mine.json", ["only lists with a name like lambdas.published*.json"]),
    ],
)
def test_a_function_that_is_not_listed(
    deployed: Checkout, moto: int, name: str, remedies: list[str]
) -> None:
    """The remedy names the command that writes this list."""
    listed = published(deployed, moto)
    listed.pop("api")
    deployed.write({name: json.dumps(listed)})
    done = deployed.lambdas("deploy", "--env", "dev", "--from", name, code=1)
    assert f"api: {name} does not list it; " in done.errors
    for one in remedies:
        assert one in done.errors


def test_a_function_of_two_variants(deployed: Checkout, cloud: Cloud) -> None:
    """One function cannot get the code of two variants."""
    names = {"names": {"value": {"api": "api-dev", "jobs": "api-dev"}}}
    deployed.write({"tf.json": json.dumps(names)})
    done = deployed.lambdas("deploy", "--terraform-state", "tf.json", code=1)
    assert "'api-dev' is the function of api and of jobs" in done.errors
    assert cloud.gate.writes == []


def test_a_zip_that_disappears(deployed: Checkout, cloud: Cloud) -> None:
    """A file that is gone fails its function alone; the outcome of the others is told."""
    for name in ("api", "jobs"):
        deployed.edit(name, "new")
    deployed.commit("New")
    gone = deployed.root / "dist/api.zip"
    cloud.gate.before = _unlinks(gone)
    found = deploy(deployed, code=1)
    assert {found["api"]["state"], found["jobs"]["state"]} == {"failed", "deployed"}


def _unlinks(path: Path) -> Callable[[str, str], None]:
    """Return a hook that removes a file as soon as AWS is asked for the first function."""
    return lambda _method, _path: path.unlink(missing_ok=True)


def test_an_environment_that_no_name_can_have(checkout: Checkout, cloud: Cloud) -> None:
    """An environment with which Lambda takes no name is refused before AWS is asked; a function
    with several variants has one line.
    """
    manifest = (checkout.root / "lambdas.yaml").read_text()
    own = manifest.replace("defaults:", "defaults:\n  architecture: [x86_64, arm64]")
    checkout.write({"lambdas.yaml": own.replace("{lambda}-", "{id}-")})
    for command in (("drift",), ("deploy",), ("rollback", "api-py3.13-x86_64", "--alias", "live")):
        said = checkout.lambdas(*command, "--env", "bad env", code=None).errors
        assert "lambda 'api': name '{id}-{env}' in lambdas.yaml gives 'api-" in said, said
        assert "-bad env', and Lambda takes only letters, digits, '-' and '_'; correct" in said
        assert said.count("lambda 'api'") == 1
        assert checkout.lambdas(*command, code=None).errors.count("lambda 'api'") == 1
    assert cloud.gate.requests == []


def test_a_profile(deployed: Checkout, cloud: Cloud, tmp_path: Path) -> None:
    """Each command takes the credentials of a profile that is named."""
    config = tmp_path / "config"
    config.write_text(
        "[profile ours]\nregion = eu-west-1\naws_access_key_id = AKIAOURS\n"
        "aws_secret_access_key = s3cr3t\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        deployed.environment.pop(name)
    deployed.environment |= {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "other"}
    deploy(deployed, "--alias", "live", "--profile", "ours")
    assert deployed.states("--profile", "ours")["api"]["state"] == "up_to_date"
    rollback = ("rollback", "api", "--env", "dev", "--alias", "live", "--to", "1")
    assert "has this code" in deployed.lambdas(*rollback, "--profile", "ours").output
    cloud.gate.requests.clear()
    for command in (("deploy", "--env", "dev"), ("drift", "--env", "dev"), rollback):
        failed = deployed.lambdas(*command, "--profile", "nobody", code=None)
        assert "The config profile (nobody) could not be found" in failed.errors
    assert cloud.gate.requests == []


@pytest.mark.parametrize("name", ["a b", "1", "$LATEST"])
def test_no_name_of_an_alias(deployed: Checkout, cloud: Cloud, name: str) -> None:
    """A name that no alias can have is refused before AWS is asked."""
    done = deployed.lambdas("deploy", "--env", "dev", "--alias", name, code=2)
    assert f"found '{name}'" in done.errors
    assert cloud.gate.requests == []
