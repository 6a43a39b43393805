"""Files that look like credentials stop the build, unless the manifest allows them."""

from tests.conftest import HANDLER, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
# Assembled from parts, so that this file contains no secret.
KEY = "AKIA" + "QWERTYUIOPASDFGH"


def test_they_stop_the_build(repository: Repository) -> None:
    """One message names all files, no secret is printed, and the earlier ZIP stays."""
    repository.doit()
    before = repository.sha256()
    repository.write({
        "lambdas.yaml": MANIFEST + "    include: [shared/conf]\n",
        "lambdas/api/.env": "PASSWORD=hunter2\n",
        "lambdas/api/keys.py": f"X = 1\nKEY = '{KEY}'\n",
        "shared/conf/pip.conf": "",
    })  # fmt: skip
    for _ in range(2):
        result = repository.fails()
        assert "stage:api" in result.ran
        assert "  lambdas/api/.env: settings of an environment" in result.message
        assert "  lambdas/api/keys.py:2: an AWS access key" in result.message
        assert "  shared/conf/pip.conf: credentials for a package index" in result.message
        assert "'allow_secrets: [/.env, /conf/pip.conf, /keys.py]'" in result.message
        assert KEY not in result.output
        assert "hunter2" not in result.output
        assert repository.sha256() == before


def test_allowed_on_purpose(repository: Repository) -> None:
    """Files named in `allow_secrets` ship; any other still stops the build."""
    repository.write({
        "lambdas.yaml": MANIFEST + "    allow_secrets: [/.env, /certs/]\n",
        "lambdas/api/.env": "", "lambdas/api/certs/id_rsa": "",
    })  # fmt: skip
    repository.doit()
    assert sorted(repository.members("api")) == [".env", "app.py", "certs/id_rsa"]
    repository.write({"lambdas/api/other/.env": ""})
    message = repository.fails().message
    assert "lambdas/api/other/.env" in message
    assert "lambdas/api/.env" not in message


def test_no_longer_allowed(repository: Repository) -> None:
    """Once `allow_secrets` is removed, an earlier ZIP with the secret is not reused from dist/,
    from the cache or from the staged tree.
    """
    repository.write({
        "lambdas.yaml": MANIFEST + "    allow_secrets: [.env]\n", "lambdas/api/.env": "",
    })  # fmt: skip
    repository.doit()
    repository.write({"lambdas.yaml": MANIFEST})
    assert "lambdas/api/.env" in repository.fails().message
    assert "allow_secrets [.env] -> none" in repository.doit("why").message


def test_excluded(repository: Repository) -> None:
    """Excluded files are not checked."""
    repository.write({
        "lambdas.yaml": MANIFEST + "    exclude: [.env]\n", "lambdas/api/.env": "",
    })  # fmt: skip
    repository.doit()
    assert list(repository.members("api")) == ["app.py"]


def test_dependencies_are_not_searched(dependent: Repository) -> None:
    """Dependencies are not searched, because everyone can download them."""
    dependent.write({"lambdas/api/requirements.txt": "beta\n"})
    dependent.doit("hash:api")


def test_patterns_are_checked(repository: Repository) -> None:
    """An invalid pattern is reported when it is used."""
    repository.write({
        "lambdas.yaml": MANIFEST + "    allow_secrets: ['!']\n", "lambdas/api/.env": "",
    })  # fmt: skip
    assert "allow_secrets: '!' is not a valid gitignore pattern" in repository.fails().message


def test_only_new_contents_are_searched(repository: Repository) -> None:
    """An edit that adds a secret to a cleared file is found."""
    repository.write({"lambdas/api/other.py": "Y = 1\n"})
    repository.doit()
    repository.write({"lambdas/api/app.py": HANDLER + f"KEY = '{KEY}'\n"})
    assert "lambdas/api/app.py:3: an AWS access key" in repository.fails().message
