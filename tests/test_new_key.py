"""A key of the manifest is one row of one table, and nothing else is owed for it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import buildlib
from tests.conftest import HANDLER, Repository

APP = "lambdas/api/app.py"

ROW = """
    "flavour": Key(
        "The flavour of the function, which this test made up.",
        choices=("plain", "salted"),
        default="plain",
        shared=True,
    ),
"""


@pytest.fixture
def salted(repository: Repository, tmp_path: Path) -> Repository:
    """Give a repository that is built by a copy of the package with one more row."""
    package = tmp_path / "package"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(buildlib.__file__).parent, package / "buildlib", ignore=ignored)
    table = package / "buildlib/manifest/keys.py"
    text = table.read_text()
    assert text.count("LAMBDA_KEYS = {") == 1
    table.write_text(text.replace("LAMBDA_KEYS = {", "LAMBDA_KEYS = {" + ROW))
    repository.environment["PYTHONPATH"] = str(package)
    return repository


def prints(salted: Repository, program: str) -> str:
    """Return the output of a program that imports the copy."""
    done = subprocess.run(
        [salted.python, "-c", program],
        cwd=salted.root,
        env=salted.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def flavoured(value: str) -> dict[str, str]:
    """Return the files of a repository whose function has a flavour."""
    entry = f"{{handler: app.handler, flavour: {value}}}"
    return {"lambdas.yaml": f"version: 1\nlambdas:\n  api: {entry}\n", APP: HANDLER}


def test_reference_and_schema(salted: Repository) -> None:
    """The reference page and the JSON Schema have the key, also among the defaults."""
    page = prints(salted, "from buildlib.manifest import schema; print(*schema.page(), sep='\\n')")
    assert "flavour" in page
    program = (
        "import json; from buildlib.manifest import schema; print(json.dumps(schema.schema()))"
    )
    properties = json.loads(prints(salted, program))["properties"]
    assert properties["defaults"]["properties"]["flavour"]["enum"] == ["plain", "salted"]


def test_a_mistake_is_found(salted: Repository) -> None:
    """A wrong value is an error at its position."""
    salted.write(flavoured("sweet"))
    result = salted.doit(code=3)
    assert "lambdas.yaml:3:40: lambda 'api': flavour: expected plain or salted" in result.output


def test_it_reaches_the_key(salted: Repository) -> None:
    """Another value rebuilds, with the reason; the default changes no key; verify agrees."""
    salted.write({**flavoured("plain")})
    salted.doit()
    salted.write(flavoured("salted"))
    assert "api: built (flavour none -> salted)" in salted.doit().output
    assert "equal" in salted.doit("verify:api").output
    salted.write({"lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler}\n"})
    salted.doit()
    before = key(salted)
    salted.write(flavoured("plain"))
    assert salted.doit().ran == []
    assert key(salted) == before


def key(repository: Repository) -> str:
    """Return the key of the ZIP in dist/."""
    stamp = json.loads((repository.root / "build/zip/api.json").read_text())
    return str(stamp["record"]["key"])


def test_the_copy_is_used(salted: Repository) -> None:
    """The repository is built by the copy, and not by the installed package."""
    found = prints(salted, "import buildlib; print(buildlib.__file__)")
    assert os.path.samefile(Path(found.strip()).parent.parent, salted.environment["PYTHONPATH"])
