"""Distributions that install different files under one name."""

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import Index, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


@pytest.fixture
def two(repository: Repository, index: Index) -> Repository:
    """Give a function that needs `alpha` and `beta`, which the test publishes."""
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/requirements.txt": "alpha\nbeta\n"})
    return repository


def publish(index: Index, path: str, one: str = "A = 1\n", two: str = "B = 2\n") -> None:
    """Publish two wheels with different contents at one path."""
    index.add("alpha", files={"alpha.py": "", path: one})
    index.add("beta", files={"beta.py": "", path: two})


@pytest.mark.parametrize("path", ["tests/__init__.py", "docs/conf.py", "LICENSE"])
def test_the_advice_leads_on(two: Repository, index: Index, path: str) -> None:
    """A file that no module needs can be excluded: the message says how, and then it builds."""
    publish(index, path)
    message = two.fails().message
    assert f"  {path}: alpha 1.0 and beta 1.0\n" in message
    advice = re.search(r"add '(\S+)' to 'exclude'", message)
    assert advice, message
    two.write({"lambdas.yaml": f"{MANIFEST}    exclude: ['{advice[1]}']\n"})
    two.doit()
    members = two.members("api")
    assert path not in members
    assert "alpha.py" in members
    assert path.encode() not in members["alpha-1.0.dist-info/RECORD"]
    before = two.sha256()
    two.environment["UV_CACHE_DIR"] += "-other"
    assert "equal" in two.doit("verify:api").output
    assert two.sha256() == before


def test_modules_are_not_advised_away(two: Repository, index: Index) -> None:
    """For a module the message advises another distribution; excluding the file is possible."""
    publish(index, "common/core.py")
    message = two.fails().message
    assert "Replace one of the distributions" in message
    two.write({"lambdas.yaml": f"{MANIFEST}    exclude: [/common/core.py]\n"})
    two.doit()
    assert "common/core.py" not in two.members("api")


def test_a_shared_environment(two: Repository, index: Index) -> None:
    """Functions share an environment; the one that does not exclude the file is refused."""
    publish(index, "tests/__init__.py")
    two.write({
        "lambdas.yaml": (
            f"{MANIFEST}    exclude: [/tests/]\n"
            "  jobs: {handler: app.handler, source: lambdas/api}\n"
        )
    })  # fmt: skip
    message = two.fails("--continue").message
    assert "lambda 'jobs': distributions install different files" in message
    assert "lambda 'api'" not in message
    assert "tests/__init__.py" not in two.members("api")
    assert not (two.root / "dist/jobs.zip").exists()


def test_a_namespace(two: Repository, index: Index) -> None:
    """Declarations of a namespace that differ in a comment build: the first name's is taken."""
    declaration = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    contents = {name: f"# {name}\n{declaration}" for name in ("alpha", "beta")}
    for name, content in contents.items():
        index.add(name, files={"corp/__init__.py": content, f"corp/{name}.py": "X = 1\n"})
    two.write({"lambdas/api/app.py": "import corp.alpha, corp.beta\nhandler = print\n"})
    two.doit()
    assert two.members("api")["corp/__init__.py"].decode() == contents["alpha"]
    program = f"import sys; sys.path[:0] = [{os.fspath(two.root / 'dist/api.zip')!r}]; import app"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert "equal" in two.doit("verify:api").output


def test_collision_by_case(repository: Repository, index: Index) -> None:
    """Names in one wheel that differ by case are an error, which `exclude` settles."""
    index.add(
        "alpha", files={"alpha/__init__.py": "", "alpha/Data.txt": "1", "alpha/data.txt": "2"}
    )
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/requirements.txt": "alpha\n"})
    message = repository.fails().message
    assert "'alpha/Data.txt' and 'alpha/data.txt' are one file on macOS and Windows" in message
    repository.write({"lambdas.yaml": f"{MANIFEST}    exclude: [Data.txt, data.txt]\n"})
    repository.doit()
    assert "alpha/__init__.py" in repository.members("api")
