"""The index lists every declared variant, and says which ZIPs are not of the present inputs."""

import json
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Repository

MANIFEST = "version: 1\nlambdas:\n  api: {handler: app.handler}\n  jobs: {handler: app.handler}\n"
IMAGE = f"example.com/lambda@sha256:{'a' * 64}"
BOXED = f"{{handler: app.handler, install: docker, docker: {{image: '{IMAGE}'}}}}"
CONTAINED = f"{MANIFEST}  boxed: {BOXED}\n"


@pytest.fixture
def two(repository: Repository) -> Repository:
    """Give a repository with two functions without dependencies."""
    repository.write({"lambdas.yaml": MANIFEST, "lambdas/jobs/app.py": HANDLER + "\n"})
    return repository


@pytest.fixture
def boxed(two: Repository) -> Repository:
    """Give a repository with a third function that needs an engine, and none."""
    two.environment["DOCKER_HOST"] = f"unix://{two.root}/no-engine-here.sock"
    two.write({"lambdas.yaml": CONTAINED, "lambdas/boxed/app.py": HANDLER})
    two.write({"lambdas/boxed/requirements.txt": "\n"})
    return two


def test_a_named_function_alone(two: Repository) -> None:
    """After `doit zip:api`, the index says that jobs is missing; Terraform must not destroy it."""
    two.doit("zip:api")
    assert two.listed()["jobs"]["status"] == "missing"
    assert list(two.index()) == ["api"]
    two.doit()
    assert list(two.index()) == ["api", "jobs"]
    text = (two.root / "dist/lambdas.json").read_bytes()
    two.doit("clean")
    assert not (two.root / "dist/lambdas.json").exists()
    two.doit()
    assert (two.root / "dist/lambdas.json").read_bytes() == text


def test_a_failed_function(two: Repository) -> None:
    """A function that fails keeps its last ZIP, marked stale, until it is built or reverted."""
    two.doit()
    good, before = two.listed(), two.sha256()
    two.write({"lambdas/jobs/app.py": "def handler(:\n"})
    two.fails()
    assert two.listed() == {**good, "jobs": {**good["jobs"], "stale": True}}
    assert two.sha256() == before
    assert two.doit("why:jobs").output
    two.write({"lambdas/jobs/app.py": HANDLER + "\n"})
    two.doit()
    assert two.listed() == good


def test_a_function_that_was_never_built(two: Repository) -> None:
    """A new function that fails is listed as missing, beside those that were built."""
    two.write({"lambdas/jobs/app.py": "def handler(:\n"})
    two.fails()
    assert list(two.index()) == ["api"]
    assert two.listed()["jobs"]["status"] == "missing"


def test_dist_is_tidied_while_one_fails(two: Repository) -> None:
    """A function that is no longer declared leaves dist/ although another one fails."""
    two.doit()
    only = "version: 1\nlambdas:\n  jobs: {handler: app.handler}\n"
    two.write({"lambdas.yaml": only, "lambdas/jobs/app.py": "def handler(:\n"})
    two.fails()
    assert list(two.listed()) == ["jobs"]
    assert sorted(path.name for path in (two.root / "dist").glob("*.zip*")) == [
        "jobs.zip", "jobs.zip.sha256",
    ]  # fmt: skip


@pytest.mark.parametrize("parallel", [("-n", "0"), ("-n", "2", "-P", "process")])
def test_an_absent_engine(boxed: Repository, parallel: tuple[str, ...]) -> None:
    """Without an engine the others are built; the last words name the function and the reason."""
    result = boxed.doit(*parallel)
    assert list(boxed.index()) == ["api", "jobs"]
    assert boxed.listed()["boxed"]["status"] == "missing"
    last = result.output.rstrip().splitlines()[-2:]
    assert last[0].startswith("warning: not built: boxed. ")
    assert "no-engine-here.sock" in last[0]
    assert "2 built, 1 not built" in result.output
    again = boxed.doit(*parallel).output
    assert "warning: not built: boxed. " in again
    assert "2 unchanged, 1 not built" in again


@pytest.mark.parametrize("parallel", [("-n", "0"), ("-n", "2", "-P", "process")])
def test_an_absent_engine_in_ci(boxed: Repository, parallel: tuple[str, ...]) -> None:
    """With CI set a function that cannot be built is a failure, with its annotation."""
    boxed.environment |= {"CI": "true", "GITHUB_ACTIONS": "true"}
    boxed.environment["CI"] = "false"
    boxed.doit("lock")
    boxed.environment["CI"] = "true"
    result = boxed.doit(*parallel, code=2)
    assert list(boxed.index()) == ["api", "jobs"]
    assert boxed.listed()["boxed"]["status"] == "missing"
    assert "Not built: boxed; with CI set, all must be." in result.output
    assert "::error" in result.output
    boxed.write({"lambdas/jobs/app.py": "def handler(:\n"})
    assert boxed.doit(*parallel, code=1).code == 1
    assert boxed.listed()["jobs"]["stale"] is True


def test_the_index_stays_reproducible(two: Repository, tmp_path: Path) -> None:
    """The marks depend on the outcome alone: two machines write the same index."""
    two.write({"lambdas/jobs/app.py": "def handler(:\n"})
    two.fails()
    first = (two.root / "dist/lambdas.json").read_bytes()
    assert json.loads(first)
    other = Repository(tmp_path / "other", dict(two.environment))
    for path in two.root.rglob("*"):
        if path.is_file() and not {"dist", "build"} & set(path.relative_to(two.root).parts):
            other.write({path.relative_to(two.root).as_posix(): path.read_bytes()})
    other.fails("-n", "2", "-P", "process")
    assert (other.root / "dist/lambdas.json").read_bytes() == first
