"""Sources that another task of dodo.py makes are part of the graph."""

import pytest

from tests.conftest import HANDLER, Repository

DODO = """\
from pathlib import Path

from buildlib.tasks import *


def task_schema():
    def make():
        Path("generated/deep").mkdir(exist_ok=True, parents=True)
        Path("TARGET").write_text(Path("spec.txt").read_text())

    return {"actions": [make], "file_dep": ["spec.txt"], "targets": ["TARGET"]}
"""
MANIFEST = "version: 1\nlambdas:\n  api: {handler: app.handler, include: [INCLUDE]}\n"


def generated(repository: Repository, include: str, target: str = "generated/schema.py") -> None:
    """Make a repository whose function includes a file that a task makes."""
    repository.write({
        "dodo.py": DODO.replace("TARGET", target),
        "lambdas.yaml": MANIFEST.replace("INCLUDE", include),
        "spec.txt": "X = 1\n",
    })  # fmt: skip


@pytest.mark.parametrize("parallel", [("-n", "0"), ("-n", "2", "-P", "process")])
@pytest.mark.parametrize(
    ("include", "target", "member"),
    [
        ("generated/schema.py", "generated/schema.py", "schema.py"),
        ("generated/schema.py", "./generated/schema.py", "schema.py"),
        ("generated", "generated/schema.py", "generated/schema.py"),
        ("generated/deep", "generated/deep/schema.py", "deep/schema.py"),
    ],
)
def test_it_is_made_first(
    repository: Repository, parallel: tuple[str, ...], include: str, target: str, member: str
) -> None:
    """The first run makes and packs the file; an edit of its input is in the ZIP of that run."""
    generated(repository, include, target)
    first = repository.doit(*parallel)
    assert repository.members("api")[member] == b"X = 1\n"
    assert first.ran.index("schema") < first.ran.index("zip:api")
    assert repository.doit(*parallel).ran == []
    repository.write({"spec.txt": "X = 2\n"})
    repository.doit(*parallel, "zip:api")
    assert repository.members("api")[member] == b"X = 2\n"
    assert repository.doit(*parallel).ran == []


def test_other_commands_work_without_it(repository: Repository) -> None:
    """The task itself, a list and an explanation need no file that is yet to be made."""
    generated(repository, "generated/schema.py")
    assert repository.doit("schema").ran == ["schema"]
    repository.doit("clean")
    repository.doit("list", "--all")
    repository.doit("why")


def test_requirements_and_sources(repository: Repository) -> None:
    """The function's own folder, and its requirements, can be made as well."""
    generated(repository, "generated", "generated/deep/app.py")
    manifest = "version: 1\nlambdas:\n  api: {handler: app.handler, source: generated/deep}\n"
    repository.write({"lambdas.yaml": manifest, "spec.txt": HANDLER})
    repository.doit()
    assert "app.py" in repository.members("api")


def test_a_task_that_fails(repository: Repository) -> None:
    """If the task fails, the function is not built from the earlier file."""
    generated(repository, "generated/schema.py")
    repository.doit()
    before = repository.sha256()
    (repository.root / "spec.txt").unlink()
    assert repository.doit(code=None).code
    assert repository.sha256() == before


def test_a_path_that_nothing_makes(repository: Repository) -> None:
    """A path that is no target is an error that names it, also beside other tasks."""
    generated(repository, "generated/schemas.py")
    message = repository.fails().message
    assert "lambda 'api': 'generated/schemas.py' does not exist, and no task of dodo.py" in message


def test_without_other_tasks(repository: Repository) -> None:
    """Without other tasks, a missing path is an error of the manifest, with line and column."""
    repository.write({"lambdas.yaml": MANIFEST.replace("INCLUDE", "generated/schema.py")})
    assert "lambdas.yaml:3:" in repository.doit(code=3).message
