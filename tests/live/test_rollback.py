"""`lambdas rollback`: an alias points to earlier code again."""

import json
from typing import Any

import jsonschema
import pytest

from tests.live.conftest import Checkout, Cloud
from tests.live.test_deploy import deploy, published
from tests.test_cli import SCHEMA


def rollback(checkout: Checkout, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the outcome of `lambdas rollback api --json`."""
    options = ("--env", "dev", "--alias", "live", "--json", *arguments)
    done = checkout.lambdas("rollback", "api", *options, code=code)
    answer = json.loads(done.output)
    jsonschema.validate(answer, SCHEMA)
    (found,) = answer["functions"]
    return dict(found)


@pytest.fixture
def released(deployed: Checkout, cloud: Cloud) -> Checkout:
    """Give a clone whose function `api` has three versions, of which the alias has the last."""
    deploy(deployed, "api", "--alias", "live")
    for text in ("second", "third"):
        deployed.edit("api", text)
        deployed.commit(text.capitalize())
        deploy(deployed, "api", "--alias", "live")
    assert cloud.versions("api-dev") == ["1", "2", "3"]
    cloud.gate.requests.clear()
    return deployed


def test_the_version_before(released: Checkout, cloud: Cloud) -> None:
    """Without `--to` the alias goes back to the code before; drift then says so; no upload."""
    dry = rollback(released, "--dry-run")
    assert dry["text"] == "alias 'live' would point to version 2 (before: 3)"
    assert cloud.gate.writes == []
    found = rollback(released)
    assert (found["state"], found["version"]) == ("deployed", "2")
    assert cloud.alias("api-dev") == "2"
    assert cloud.gate.writes == ["api-dev/aliases/live"]
    assert released.states("api", "--alias", "live", code=1)["api"]["behind"] == 1
    assert rollback(released)["version"] == "1"
    done = released.lambdas("rollback", "api", "--env=dev", "--alias=live", code=1)
    assert "nothing ran before: version 1 was the first one of alias 'live'" in done.errors


def test_a_version_a_hash_or_a_commit(released: Checkout, cloud: Cloud) -> None:
    """`--to` is a version, the sha256 of a ZIP or a commit; the present one changes nothing."""
    first = cloud.code("api-dev", "1")
    assert rollback(released, "--to", "2")["version"] == "2"
    assert rollback(released, "--to", first)["version"] == "1"
    assert rollback(released, "--to", "HEAD~1")["version"] == "2"
    again = rollback(released, "--to", "HEAD~1")
    assert (again["state"], again["text"]) == (
        "up_to_date",
        "alias 'live' already points to version 2, which has this code",
    )
    assert cloud.gate.writes == ["api-dev/aliases/live"] * 3


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("9", "'api-dev' has no version 9; it has 1, 2, 3"),
        ("nope", "'nope' is neither a version, nor a sha256 of 64 digits, nor a commit"),
        ("f" * 64, "has the code ffffffffffff. Check out its commit"),
    ],
)
def test_mistakes(released: Checkout, cloud: Cloud, to: str, message: str) -> None:
    """Code that does not exist is an error that says what to do; nothing changes."""
    options = ("--env", "dev", "--alias", "live", "--to", to)
    assert message in released.lambdas("rollback", "api", *options, code=1).errors
    assert cloud.gate.writes == []


def test_without_the_alias(deployed: Checkout) -> None:
    """An alias that does not exist is an error, with the command that makes it."""
    done = deployed.lambdas("rollback", "api", "--env=dev", "--alias=live", code=1)
    assert "'lambdas deploy --alias live' makes it" in done.errors


def test_code_that_no_version_has(released: Checkout, cloud: Cloud) -> None:
    """Code of a commit that was never deployed comes from the cache, and becomes a version."""
    released.edit("api", "never deployed")
    commit = released.commit("Never deployed")
    wanted = released.sha256()["api"]
    released.edit("api", "the newest")
    released.commit("The newest")
    deploy(released, "api", "--alias", "live")
    found = rollback(released, "--to", commit)
    assert found["sha256"] == cloud.code("api-dev", "live") == wanted
    assert found["version"] == "5"


def test_code_of_the_published_list(released: Checkout, cloud: Cloud, moto: int) -> None:
    """Code that only the published list has comes from S3."""
    released.edit("api", "published")
    released.commit("Published")
    listed = published(released, moto)
    released.edit("api", "the newest")
    released.commit("The newest")
    deploy(released, "api", "--alias", "live")
    for path in (released.root / "build/cache").rglob("*.zip"):
        path.unlink()
    wanted = listed["api"]["sha256"]
    assert rollback(released, "--to", wanted)["sha256"] == wanted
    assert cloud.code("api-dev", "live") == wanted


def test_the_digits_that_commands_show(released: Checkout, cloud: Cloud) -> None:
    """Digits of a sha256 name a version; a number names one of several with equal code."""
    first = cloud.code("api-dev", "1")
    assert rollback(released, "--to", first[:12])["version"] == "1"
    cloud.client.update_function_configuration(FunctionName="api-dev", Description="new")
    released.edit("jobs", "x")
    number = cloud.client.publish_version(FunctionName="api-dev")["Version"]
    present = cloud.code("api-dev", number)
    same = [one for one in cloud.versions("api-dev") if cloud.code("api-dev", one) == present]
    assert len(same) > 1
    for one in same:
        rollback(released, "--to", one)
        assert cloud.alias("api-dev") == one


def test_code_for_another_architecture(released: Checkout, cloud: Cloud) -> None:
    """Code that the function cannot run is refused, as by a deployment; the alias stays."""
    before = cloud.alias("api-dev")
    released.edit("api", "never deployed")
    released.commit("Never deployed")
    wanted = released.index()["api"]["sha256"]
    manifest = (released.root / "lambdas.yaml").read_text()
    released.write({"lambdas.yaml": manifest.replace("api: {", "api: {architecture: arm64, ")})
    released.lambdas("build")
    done = released.lambdas("rollback", "api", "--env=dev", "--alias=live", "--to", wanted, code=1)
    assert "has the architecture x86_64, and the ZIP is for arm64" in done.errors
    assert cloud.alias("api-dev") == before


def release(checkout: Checkout, text: str) -> dict[str, Any]:
    """Deploy new code of `api` to the alias."""
    checkout.edit("api", text)
    checkout.lambdas("build", "api")
    return dict(deploy(checkout, "api", "--alias", "live")["api"])


def refused(checkout: Checkout, *arguments: str) -> str:
    """Return the error of a rollback."""
    options = ("--env", "dev", "--alias", "live", *arguments)
    return checkout.lambdas("rollback", "api", *options, code=1).errors


def test_the_code_that_ran_before(deployed: Checkout, cloud: Cloud) -> None:
    """After a rollback and a fix, another rollback goes to the code before the fix, not to that
    which was rolled back; a version that was never live is left out, too.
    """
    deploy(deployed, "api", "--alias", "live")
    release(deployed, "bad")
    assert rollback(deployed)["version"] == "1"
    assert "(before: 1)" in release(deployed, "fixed")["text"]
    assert (rollback(deployed)["version"], cloud.versions("api-dev")) == ("1", ["1", "2", "3"])
    cloud.gate.refuse = lambda method, path, _: (
        (500, "ServiceException", "no") if method == "PUT" and "/aliases/" in path else None
    )
    deployed.edit("api", "never live")
    deployed.lambdas("build", "api")
    failed = deploy(deployed, "api", "--alias", "live", code=1)["api"]["text"]
    assert "version 4 published; then: " in failed
    cloud.gate.refuse = lambda *_: None
    assert release(deployed, "the newest")["version"] == "5"
    found = rollback(deployed, "--dry-run")
    assert found["text"] == "alias 'live' would point to version 1 (before: 5)"
    assert found["notes"] == []
    assert rollback(deployed)["version"] == "1"
    assert "nothing ran before: version 1 was the first one of alias 'live'" in refused(deployed)


def test_the_description(deployed: Checkout, cloud: Cloud) -> None:
    """A version says what its alias pointed to; the function keeps its own description."""
    client = cloud.client
    client.update_function_configuration(FunctionName="api-dev", Description="Orders")
    deploy(deployed, "api", "--alias", "live")
    release(deployed, "second")
    found = client.list_versions_by_function(FunctionName="api-dev")["Versions"]
    assert {one["Version"]: one["Description"] for one in found} == {
        "$LATEST": "Orders",
        "1": "lambdas deploy: 'live' did not exist",
        "2": "lambdas deploy: 'live' was at version 1",
    }


def test_a_version_of_somebody_else(released: Checkout, cloud: Cloud) -> None:
    """What ran before a version of Terraform is unknown: the answer says so, and names --to."""
    cloud.update("api-dev", b"PK")
    number = cloud.client.publish_version(FunctionName="api-dev")["Version"]
    cloud.client.update_alias(FunctionName="api-dev", Name="live", FunctionVersion=number)
    found = rollback(released, "--dry-run")
    assert found["text"] == "alias 'live' would point to version 3 (before: 4)"
    (note,) = found["notes"]
    assert note.startswith("Lambda does not say what ran before version 4, because")
    assert note.endswith("--to names another one")
    cloud.client.create_alias(FunctionName="api-dev", Name="test", FunctionVersion="3")
    done = released.lambdas("rollback", "api", "--env=dev", "--alias=test", code=1)
    assert "version 3 was published for alias 'live'" in done.errors


def test_a_version_that_was_deleted(released: Checkout, cloud: Cloud) -> None:
    """If the version that ran before is gone, no other one is taken for it."""
    cloud.client.delete_function(FunctionName="api-dev", Qualifier="2")
    assert (
        "version 2 ran before version 3, but does not exist any more; name a version, a hash or a "
        "commit with --to"
    ) in refused(released)
    assert cloud.gate.writes == []


def test_equal_code_ran_before(released: Checkout, cloud: Cloud) -> None:
    """A version with equal code before the present one is passed over."""
    cloud.update("api-dev", b"PK")
    found = deploy(released, "api", "--alias", "live")["api"]
    assert (found["version"], cloud.code("api-dev", "3")) == ("4", cloud.code("api-dev", "4"))
    assert rollback(released)["version"] == "2"


def test_a_version_that_lambda_had_already(released: Checkout, cloud: Cloud) -> None:
    """If Lambda returns an earlier version, deploy says where a rollback from it would go."""
    assert rollback(released, "--to", "1")["version"] == "1"
    found = deploy(released, "api", "--alias", "live")["api"]
    (note,) = found["notes"]
    assert note == (
        "Lambda had version 3 already, and 'lambdas rollback' from it goes to version 2; to go "
        "back to the present one, use --to 1"
    )
    assert cloud.versions("api-dev") == ["1", "2", "3"]


def test_a_rollback_that_publishes(released: Checkout) -> None:
    """A rollback from a version that a rollback published goes further back."""
    released.edit("api", "never deployed")
    commit = released.commit("Never deployed")
    assert rollback(released, "--to", commit)["version"] == "4"
    assert rollback(released)["version"] == "2"


def test_a_rollout_is_cancelled(released: Checkout, cloud: Cloud) -> None:
    """Without `--to`, an alias that sends a part of the calls elsewhere stays, with all calls."""
    roll_out(cloud, "2", {"3": 0.1})
    text = "to version 2, which ends the rollout (before: 2, and 10 % to version 3)"
    assert rollback(released, "--dry-run")["text"] == f"alias 'live' would point {text}"
    assert weights(cloud) == {"3": 0.1}
    found = rollback(released)
    assert (found["state"], found["text"]) == ("deployed", f"alias 'live' points {text}")
    assert (cloud.alias("api-dev"), weights(cloud)) == ("2", {})


@pytest.mark.parametrize("by", ["number", "sha256", "commit"])
def test_the_code_of_the_alias_in_a_rollout(released: Checkout, cloud: Cloud, by: str) -> None:
    """`--to` with the code of the alias ends a rollout, whichever way it names the code."""
    roll_out(cloud, "3", {"2": 0.9})
    to = {"number": "3", "sha256": cloud.code("api-dev", "3"), "commit": "HEAD"}[by]
    text = "to version 3, which ends the rollout (before: 3, and 90 % to version 2)"
    dry = rollback(released, "--to", to, "--dry-run")
    assert (dry["state"], dry["text"]) == ("planned", f"alias 'live' would point {text}")
    assert weights(cloud) == {"2": 0.9}
    found = rollback(released, "--to", to)
    assert (found["state"], found["text"]) == ("deployed", f"alias 'live' points {text}")
    assert (cloud.alias("api-dev"), weights(cloud)) == ("3", {})


def test_new_code_in_a_rollout(released: Checkout, cloud: Cloud) -> None:
    """A rollback that publishes its code says that it ends a rollout, also in a dry run."""
    released.edit("api", "never deployed")
    commit = released.commit("Never deployed")
    roll_out(cloud, "2", {"3": 0.1})
    dry = rollback(released, "--to", commit, "--dry-run")
    assert dry["text"].endswith("to it, which ends the rollout (10 % to version 3)")
    found = rollback(released, "--to", commit)
    assert found["text"].endswith(
        "to it, which ends the rollout (before: 2, and 10 % to version 3)"
    )
    assert (cloud.alias("api-dev"), weights(cloud)) == ("4", {})


def roll_out(cloud: Cloud, version: str, shares: dict[str, float]) -> None:
    """Point the alias to a version, and send shares of the calls to others."""
    cloud.client.update_alias(
        FunctionName="api-dev",
        Name="live",
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": shares},
    )


def weights(cloud: Cloud) -> dict[str, float]:
    """Return the shares of other versions than that of the alias."""
    found = cloud.client.get_alias(FunctionName="api-dev", Name="live").get("RoutingConfig") or {}
    return dict(found.get("AdditionalVersionWeights") or {})


def test_a_version_of_another_alias(deployed: Checkout, cloud: Cloud) -> None:
    """Code that ran behind another alias only is not taken: `deploy` says that `--to` is needed."""
    for alias in ("staging", "live"):
        deploy(deployed, "api", "--alias", alias)
    deployed.edit("api", "bad")
    deployed.commit("Bad")
    deploy(deployed, "api", "--alias", "staging")
    deployed.edit("api", "fixed")
    deployed.commit("Fixed")
    deploy(deployed, "api", "--alias", "staging")
    options = ("--env", "dev", "--alias", "live")
    said = deployed.lambdas("deploy", "api", *options).output
    assert "goes nowhere without --to; to go back to the present one, use --to 1" in said
    failed = deployed.lambdas("rollback", "api", *options, code=1).errors
    assert "version 3 was published for alias 'staging'" in failed
    assert cloud.alias("api-dev") == "3"
    assert rollback(deployed, "--to", "1")["version"] == cloud.alias("api-dev") == "1"


def test_back_from_a_version_of_somebody_else(deployed: Checkout, cloud: Cloud) -> None:
    """After a rollback from a version made by hand, the next one does not go to it again."""
    deployed.edit("api", "never deployed")
    commit = deployed.commit("Never deployed")
    deployed.edit("api", "good")
    deployed.commit("Good")
    deploy(deployed, "api", "--alias", "live")
    cloud.update("api-dev", deployed.zip("jobs"))
    by_hand = cloud.client.publish_version(FunctionName="api-dev")["Version"]
    cloud.client.update_alias(FunctionName="api-dev", Name="live", FunctionVersion=by_hand)
    assert rollback(deployed, "--to", commit)["version"] == "3"
    assert rollback(deployed)["version"] == cloud.alias("api-dev") == "1"
