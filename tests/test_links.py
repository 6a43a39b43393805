"""Links inside a repository are its content; what never ships may be any link."""

import os
import re

import pytest

from tests.conftest import HANDLER, Index, Repository

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")


def link(repository: Repository, path: str, target: str) -> None:
    """Make a link in a repository."""
    place = repository.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def test_linked_requirements(repository: Repository, index: Index) -> None:
    """Requirements may be a link to one file of the repository."""
    index.add("alpha", files={"alpha.py": "A = 1\n"})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"requirements.txt": "alpha\n"})
    link(repository, "lambdas/api/requirements.txt", "../../requirements.txt")
    repository.doit()
    assert {"alpha.py", "app.py"} <= repository.members("api").keys()
    assert "requirements.txt" not in repository.members("api")
    assert repository.doit().ran == []


def test_linked_code(repository: Repository) -> None:
    """A linked folder is the code that it leads to: imported, rebuilt, and equal elsewhere."""
    repository.write({
        "shared/acme/__init__.py": "A = 1\n",
        "lambdas/api/app.py": f"import acme, inner.more\n{HANDLER}",
        "other/more.py": "B = 1\n",
    })  # fmt: skip
    link(repository, "lambdas/api/acme", "../../shared/acme")
    link(repository, "shared/inner/more.py", "../../other/more.py")
    manifest = "version: 1\nlambdas:\n  api: {handler: app.handler, include: [shared/inner]}\n"
    repository.write({"lambdas.yaml": manifest})
    repository.doit()
    assert sorted(repository.members("api")) == ["acme/__init__.py", "app.py", "inner/more.py"]
    assert "equal" in repository.doit("verify:api").output
    for path in ("shared/acme/__init__.py", "other/more.py"):
        repository.write({path: "C = 2\n"})
        assert "1 built" in repository.doit().output
    assert repository.members("api")["acme/__init__.py"] == b"C = 2\n"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/etc/hostname", "a file outside the repository"),
        ("/etc", "a folder outside the repository"),
        ("../../../nothing", "a path outside the repository"),
        ("nothing", "which does not exist"),
        ("..", "leads to a folder that contains it"),
        ("../../build", "which no commit has"),
    ],
)
def test_the_remedy_of_a_link(repository: Repository, target: str, reason: str) -> None:
    """A link that cannot be followed is refused for what it is, and can be excluded."""
    (repository.root / "build").mkdir()
    link(repository, "lambdas/api/link", target)
    message = repository.fails().message
    assert re.search(rf"lambdas/api/link: this link .*{reason}", message), message
    assert "add it to 'exclude'" in message or "add the link to 'exclude'" in message
    manifest = "version: 1\nlambdas:\n  api: {handler: app.handler, exclude: [/link]}\n"
    repository.write({"lambdas.yaml": manifest})
    repository.doit()
    assert list(repository.members("api")) == ["app.py"]


def test_a_link_to_credentials(repository: Repository) -> None:
    """A link with an innocent name does not ship a file that looks like credentials."""
    repository.write({".env": "TOKEN=x\n"})
    link(repository, "lambdas/api/settings", "../../.env")
    assert "lambdas/api/settings: settings of an environment" in repository.fails().message


@pytest.mark.parametrize(
    "key", ["source: .git", "include: [.git]", "include: [libs/x/.git/config]"]
)
def test_version_control(repository: Repository, key: str) -> None:
    """The folder of version control is neither a source nor shared code."""
    repository.write({".git/config": "", "libs/x/.git/config": ""})
    manifest = f"version: 1\nlambdas:\n  api: {{handler: app.handler, {key}}}\n"
    repository.write({"lambdas.yaml": manifest})
    assert "is in .git/, the folder of version control" in repository.doit(code=3).output
