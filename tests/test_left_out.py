"""Files of other tools stay out of a ZIP, until the manifest names them."""

import re

import pytest

from tests.conftest import HANDLER, Repository

TOOLS = {
    "lambdas/api/Makefile": "build:\n",
    "lambdas/api/samconfig.toml": "version = 0.1\n",
    "lambdas/api/node_modules/x/index.js": "",
    "lambdas/api/main.tf": "",
    "lambdas/api/data/main.tf": "",
}


def test_they_stay_out(repository: Repository) -> None:
    """Files of tools neither reach the ZIP nor rebuild it."""
    repository.write(TOOLS)
    assert "warning" not in repository.doit().output.lower()
    assert sorted(repository.members("api")) == ["app.py", "data/main.tf"]
    repository.write({"lambdas/api/Makefile": "build: all\n"})
    assert repository.doit().ran == []


@pytest.mark.parametrize("path", ["Makefile", "./Makefile"])
def test_a_file_that_the_code_names(repository: Repository, path: str) -> None:
    """A file that the code reads is missed with a warning, whose remedy gets it into the ZIP."""
    code = f"TEXT = open('{path}').read()\n{HANDLER}"
    repository.write({**TOOLS, "lambdas/api/app.py": code})
    output = repository.doit().output
    warning = re.search(r"app\.py names 'Makefile', which is left out .* add '(\S+)'", output)
    assert warning, output
    manifest = f"version: 1\nlambdas:\n  api: {{handler: app.handler, exclude: ['{warning[1]}']}}\n"
    repository.write({"lambdas.yaml": manifest})
    assert "left out" not in repository.doit().output
    assert sorted(repository.members("api")) == ["Makefile", "app.py", "data/main.tf"]


def test_a_file_that_include_names(repository: Repository) -> None:
    """A file that `include` names is in the ZIP although it is left out by default."""
    manifest = (
        "version: 1\nlambdas:\n  api: {handler: app.handler, include: [lambdas/api/Makefile]}\n"
    )
    repository.write({**TOOLS, "lambdas.yaml": manifest})
    repository.doit()
    assert sorted(repository.members("api")) == ["Makefile", "app.py", "data/main.tf"]
