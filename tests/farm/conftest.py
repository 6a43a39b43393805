"""One good cluster for a session, and own ones for tests that break something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Index, Repository
from tests.farm.clusters import Cluster, cluster


@pytest.fixture(scope="session")
def farm_index() -> Iterator[Index]:
    """Give a package index that the workers of the session know, too."""
    index = Index()
    index.add("alpha", files={"alpha/__init__.py": "A = 1\n", "alpha/data.txt": "alpha " * 2000})
    index.add("beta", files={"beta.py": "B = 1\n"}, requires=("alpha",))
    yield index
    index.server.shutdown()
    index.server.server_close()


@pytest.fixture(scope="session")
def variables(plain_environment: dict[str, str], farm_index: Index) -> dict[str, str]:
    """Give the environment of workers, and of builds."""
    return plain_environment | {"UV_INDEX_URL": farm_index.url}


@pytest.fixture(scope="session")
def farm(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> Iterator[Cluster]:
    """Give a cluster of two good workers."""
    with cluster(tmp_path_factory.mktemp("farm"), variables) as found:
        found.worker()
        found.worker()
        yield found


@pytest.fixture
def own(tmp_path: Path, variables: dict[str, str]) -> Iterator[Cluster]:
    """Give a scheduler without workers, for one test."""
    with cluster(tmp_path / "own", variables) as found:
        yield found


@pytest.fixture
def small(repository: Repository) -> Repository:
    """Give a repository of four functions without dependencies."""
    names = ("api", "jobs", "mail", "logs")
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}: {{handler: app.handler}}\n" for name in names),
        **{f"lambdas/{name}/app.py": f"NAME = '{name}'\n{HANDLER}" for name in names},
    })  # fmt: skip
    return repository


@pytest.fixture
def varied(repository: Repository, variables: dict[str, str]) -> Repository:
    """Give a repository with dependencies, shared code, variants, a layer and exclusions."""
    repository.environment = variables
    repository.write({
        "lambdas.yaml": (
            "version: 1\n"
            "lambdas:\n"
            "  api: {handler: app.handler, layers: [common]}\n"
            "  jobs:\n    handler: app.handler\n    include: [shared/common]\n"
            "    python: ['3.12', '3.13']\n    architecture: [x86_64, arm64]\n"
            "    exclude: ['*.md']\n"
            "  mail: {handler: app.handler, source: mail, gitignore: true, evidence: true}\n"
            "  raw: {handler: app.handler, compression: stored, include: [shared]}\n"
            "layers:\n  common: {}\n"
        ),
        "layers/common/requirements.txt": "alpha\n",
        "lambdas/api/app.py": f"import alpha, beta\n{HANDLER}",
        "lambdas/api/requirements.txt": "beta\n",
        "lambdas/jobs/app.py": f"import alpha\nfrom common import C\n{HANDLER}",
        "lambdas/jobs/README.md": "# jobs\n",
        "lambdas/jobs/requirements.txt": "alpha\n",
        "lambdas/raw/app.py": HANDLER,
        "shared/common/__init__.py": "C = 1\n",
        "mail/app.py": HANDLER,
        "mail/ignored.py": "I = 1\n",
        ".gitignore": "ignored.py\n",
    })  # fmt: skip
    repository.lambdas("lock")
    return repository
