"""With named tasks, only the necessary part of a large manifest is loaded."""

import pytest

from tests.conftest import HANDLER, Repository

OWN = "def task_deploy():\n    return {'actions': ['echo deployed'], 'task_dep': ['hash:jobs']}\n"
MANIFEST = """\
version: 1
defaults: {handler: app.handler}
lambdas:
  api: {}
  jobs: {python: ["3.12", "3.13"]}
"""


@pytest.fixture
def several(repository: Repository) -> Repository:
    """Give a repository with one function of one variant and one of two."""
    repository.write({"lambdas.yaml": MANIFEST, "lambdas/jobs/app.py": HANDLER})
    return repository


@pytest.mark.parametrize(
    ("named", "made"),
    [
        (["hash:api"], {"api"}),
        (["hash:jobs"], {"jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}),
        (["hash:jobs-py3.12-x86_64"], {"jobs-py3.12-x86_64"}),
        (["hash:api", "zip:jobs-py3.13-x86_64"], {"api", "jobs-py3.13-x86_64"}),
        (["hash:*-py3.12-*"], {"jobs-py3.12-x86_64"}),
        (["run", "hash:api"], {"api"}),
        (["-n", "2", "hash:api"], {"api"}),
        (["hash:api", "index"], {"api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}),
        (["dist/api.zip"], {"api"}),
        (["zip"], {"api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}),
    ],
)
def test_named(several: Repository, named: list[str], made: set[str]) -> None:
    """Only the named tasks run, whichever way they are named."""
    several.doit(*named)
    assert several.sha256().keys() == made


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("hash:apo", "did you mean 'hash:api'?"),
        ("why:job", "did you mean 'why:jobs'?"),
        ("hash:jobs-py3.11-x86_64", "did you mean 'hash:jobs-py3.13-x86_64'?"),
        ("zip:elsewhere", "'doit list --all' shows what there is"),
    ],
)
def test_mistyped_name(several: Repository, named: str, hint: str) -> None:
    """An undeclared function is reported, even next to a declared one."""
    for names in ([named], ["hash:api", named], ["clean", named]):
        result = several.doit(*names, code=3)
        assert f"{named}: lambdas.yaml declares no '{named.partition(':')[2]}'" in result.output
        assert hint in result.output


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["zap:api"], "zap:api: there is no step 'zap'; did you mean 'zip:api'?"),
        (
            ["hash:api", "build:api"],
            "build:api: there is no step 'build'; there are hash, invoke, ",
        ),
        (["lock:api"], "lock:api: lambda 'api' has no requirements, so there is nothing to lock"),
        (["api"], "api: this is a function, not a task; did you mean 'zip:api'?"),
    ],
)
def test_a_function_without_its_step(several: Repository, names: list[str], hint: str) -> None:
    """For a function without a step, or with an unknown one, the message suggests the task."""
    assert hint in several.doit(*names, code=3).output


def test_a_function_with_the_name_of_a_task(repository: Repository) -> None:
    """A function may have the name of a task or command of doit."""
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}: {{source: lambdas/api, handler: app.handler}}\n"
                  for name in ("list", "size")),
    })  # fmt: skip
    assert "watch" in repository.doit("list").output
    assert "Not built: list, size" in repository.doit("size").output
    repository.doit("zip:list")


@pytest.mark.parametrize("named", ["zipp", "dist/apo.zip"])
def test_mistyped_task(several: Repository, named: str) -> None:
    """An unknown task is doit's usual error."""
    for names in ([named], ["hash:api", named]):
        result = several.doit(*names, code=3)
        assert f'Invalid parameter: "{named}"' in result.output


def test_own_tasks(several: Repository) -> None:
    """The repository's own tasks may depend on any of the package's tasks, whatever is named."""
    several.write({"dodo.py": f"from buildlib.tasks import *\n\n{OWN}"})
    several.doit("hash:api")
    assert several.sha256().keys() == {"api"}
    assert "deployed" in several.doit("deploy").output
    assert len(several.sha256()) == 3


def test_forget_and_clean(several: Repository) -> None:
    """The commands of doit about a single task find it."""
    several.doit()
    several.doit("forget", "zip:api")
    assert several.doit("hash:api").ran == ["zip:api"]
    several.doit("clean", "hash:api")
    assert "api" not in several.index()
    assert "hash:api" in several.doit("info", "hash:api", code=1).output
