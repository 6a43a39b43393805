"""What `drift` knows from git: records, lists of published ZIPs, and other functions' code."""

import json

import pytest

from buildlib.artifacts import published
from buildlib.layout import Layout
from tests.live.conftest import Checkout, Cloud


def listed(checkout: Checkout, name: str) -> None:
    """Write a list of published ZIPs, as `publish` does, from the index."""
    index = json.loads((checkout.root / "dist/lambdas.json").read_text())
    places = ((id_, one, f"x/{one['sha256']}.zip") for id_, one in index.items())
    entries = {id_: published.entry(one, "code", key, "1") for id_, one, key in places}
    published.write(checkout.root / name, entries)


@pytest.fixture
def unrecorded(deployed: Checkout) -> Checkout:
    """Give a clone whose history has no record."""
    deployed.git("checkout", "-q", "--orphan", "other")
    deployed.git("branch", "-q", "-D", "main")
    Layout(deployed.root).hashes.unlink()
    return deployed


@pytest.mark.parametrize("name", [published.NAME, "lambdas.published.eu.json"])
def test_a_published_zip(unrecorded: Checkout, name: str) -> None:
    """Without a record, the commit that published the code is named, and how far it is behind."""
    for text in ("Published", "Second", "Third"):
        if text != "Published":
            unrecorded.edit("api", text)
            unrecorded.lambdas("build")
        if text != "Third":
            listed(unrecorded, name)
        unrecorded.git("add", "-A")
        unrecorded.git("commit", "-q", "-m", text)
    found = unrecorded.states(code=1)["api"]
    assert (found["state"], found["behind"]) == ("behind", 1)
    assert found["text"].startswith(
        "behind by 1 publication and changes that are not published; runs the ZIP that commit "
    )
    assert found["text"].endswith(", Published) published")
    unrecorded.git("clean", "-q", "-f", "-d", "-x", "dist", "build")
    found = unrecorded.states(code=2)["api"]
    assert found["state"] == "undecided"
    assert ", Published) published; not compared: it is not built; " in found["text"]


def test_a_damaged_list(unrecorded: Checkout) -> None:
    """A list that a bad merge left in some commit has no entries, and other commits count."""
    listed(unrecorded, published.NAME)
    unrecorded.git("add", "-A")
    unrecorded.git("commit", "-q", "-m", "Published")
    text = (unrecorded.root / published.NAME).read_text()
    unrecorded.write({published.NAME: "<<<<<<< HEAD\n" + text})
    unrecorded.git("commit", "-q", "-a", "-m", "Merge")
    unrecorded.edit("api", "newer")
    unrecorded.lambdas("build")
    assert ", Published) published" in unrecorded.states(code=1)["api"]["text"]


def test_another_name(deployed: Checkout, cloud: Cloud) -> None:
    """Code that a commit records for another function is named, after a rename and a mix-up."""
    cloud.update("jobs-dev", deployed.zip("api"))
    found = deployed.states(code=1)["jobs"]
    assert found["state"] == "other_function"
    assert found["text"].startswith("runs the code of 'api' of commit ")
    manifest = (deployed.root / "lambdas.yaml").read_text()
    renamed = manifest.replace("  jobs: {", "  tasks: {name: jobs-dev, source: lambdas/jobs, ")
    deployed.write({"lambdas.yaml": renamed})
    deployed.edit("jobs", "newer")
    deployed.commit("Rename")
    cloud.update("jobs-dev", deployed.zip("api"))
    assert deployed.states(code=1)["tasks"]["state"] == "other_function"


def test_git_refuses(deployed: Checkout) -> None:
    """If git wants a setting for another owner's clone, that is said, and no code is unknown."""
    deployed.edit("api", "newer")
    deployed.commit("Newer")
    deployed.environment["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "true"
    for options in ((), ("--since", "HEAD~1")):
        done = deployed.lambdas("drift", "--env", "dev", *options, code=2)
        assert "detected dubious ownership in repository" in done.errors
        assert "git config --global --add safe.directory" in done.errors


def test_no_history(deployed: Checkout) -> None:
    """Without commits there is nothing to search, which `--since` says."""
    (deployed.root / ".git").rename(deployed.root.parent / "git")
    deployed.edit("api", "newer")
    deployed.lambdas("build")
    assert "(no git history here)" in deployed.states(code=1)["api"]["text"]
    done = deployed.lambdas("drift", "--env", "dev", "--since", "HEAD", code=2)
    assert "there is no commit 'HEAD', since there is no git history here" in done.errors


def test_another_handler(deployed: Checkout, cloud: Cloud) -> None:
    """A handler in another spelling is the same; one whose module the ZIP has is only shown."""
    handlers = {
        "app/handler": "up_to_date",
        "app.other": "up_to_date",
        "none.handler": "configuration",
    }
    for handler, state in handlers.items():
        cloud.client.update_function_configuration(FunctionName="api-dev", Handler=handler)
        assert deployed.states()["api"]["state"] == state
    (deployed.root / "dist/api.zip").unlink()
    assert deployed.states(code=0)["api"]["state"] == "up_to_date"
