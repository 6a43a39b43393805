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
    assert "points to version 1, and no earlier version has other code" in done.errors


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
