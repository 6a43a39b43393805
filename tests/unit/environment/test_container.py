"""What goes into a container, and what stays out of logs; no engine is needed to know it."""

import os
import types
from pathlib import Path
from typing import Any

import pytest

from buildlib.docker import images
from buildlib.docker.log import Log
from buildlib.environment import container, in_container, pip_settings
from buildlib.errors import InstallError
from buildlib.lock import lockfile
from buildlib.model import Docker, Image, Pin
from buildlib.project.project import Project
from buildlib.steps import venv
from tests.unit.conftest import function, write

CLEAN = {"HOME": "/nonexistent", "PIP_CONFIG_FILE": os.devnull}


def access(variables: dict[str, str], **options: Any) -> pip_settings.Access:  # noqa: ANN401
    return pip_settings.index_access(CLEAN | variables, Path("/nonexistent"), Docker(**options))


def test_indexes() -> None:
    """Index settings reach pip in its own terms; what is on this disk does not."""
    found = access({
        "UV_INDEX_URL": "https://u:p%40ss@a.example/simple",
        "UV_EXTRA_INDEX_URL": "https://b.example/simple file:///opt/index",
        "UV_FIND_LINKS": "/opt/wheels,https://c.example/links",
    })  # fmt: skip
    assert found.variables == {
        "PIP_INDEX_URL": "https://u:p%40ss@a.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://b.example/simple",
        "PIP_FIND_LINKS": "https://c.example/links",
    }
    assert "p%40ss" in found.secrets


def test_named_index_with_credentials() -> None:
    """The credentials that uv has by an index's name are in the address that pip gets."""
    found = access({
        "UV_DEFAULT_INDEX": "inner=https://a.example/simple",
        "UV_INDEX_INNER_USERNAME": "me",
        "UV_INDEX_INNER_PASSWORD": "p@ss:word",
    })  # fmt: skip
    assert found.variables["PIP_INDEX_URL"] == "https://me:p%40ss%3Aword@a.example/simple"


def test_proxies_and_bundle(tmp_path: Path) -> None:
    """Proxies go as they are; the CA bundle under every name by which it is looked for."""
    (tmp_path / "ca.pem").write_bytes(b"certificates")
    found = access({"https_proxy": "http://p:8080", "SSL_CERT_FILE": str(tmp_path / "ca.pem")})
    assert found.bundle == b"certificates"
    assert found.variables["https_proxy"] == "http://p:8080"
    assert found.variables["PIP_CERT"] == found.variables["SSL_CERT_FILE"]
    assert str(tmp_path) not in str(found.variables)


def test_env_passes_only_what_is_named_and_set() -> None:
    """Of the environment, only the named variables go in."""
    found = access({"A": "aaaa", "B": "b", "OTHER": "x"}, env=("A", "B", "C"))
    assert found.variables == {"A": "aaaa", "B": "b"}
    assert "aaaa" in found.secrets


def test_log_hides_secrets(tmp_path: Path) -> None:
    """A secret is hidden even if it comes in two chunks, and credentials in any address too."""
    path = tmp_path / "logs/x.log"
    with Log(path, ["hunter2", "hunter2-long"]) as log:
        log.start("run hunter2")
        log.feed(b"a hunt")
        log.feed(b"er2-long b\nhttps://me:pw@host/x\nlast hunter2")
        log.end(0)
        assert log.output == "a **** b\nhttps://****@host/x\nlast ****\n"
    assert path.read_text() == (
        "$ run ****\na **** b\nhttps://****@host/x\nlast ****\n[exit code 0]\n"
    )


def test_constraints_agree_with_the_lock() -> None:
    """A build tool that the lock pins is used in that version; the others as we pin them."""
    pins = [Pin("packaging", "99.0", ()), Pin("wheel", "@ https://x/wheel.whl", ())]
    text = container._constraints("# why\npackaging==25.0\nsetuptools==80.9.0\nwheel==1\n", pins)  # noqa: SLF001
    assert text == "packaging==99.0\nsetuptools==80.9.0\n"


def test_missing_secret() -> None:
    """A secret file that cannot be read is named with its function."""
    options = Docker(secrets=(("netrc", "/nonexistent/netrc"),))
    with pytest.raises(InstallError, match="lambda 'api': cannot read the secret 'netrc' from"):
        container._secrets(function(), options)  # noqa: SLF001


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("debian", "debian"),
        ("debian:12", "debian"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("localhost:5000/a/b:tag", "localhost:5000/a/b"),
        ("x.example/a:tag@sha256:" + "0" * 64, "x.example/a"),
    ],
)
def test_repository(name: str, repository: str) -> None:
    """The repository of an image is its name without tag and digest; a port is no tag."""
    assert images._repository(name) == repository  # noqa: SLF001


def test_manylinux_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the container pip takes no wheel for a newer glibc than the runtime's (PEP 600)."""
    monkeypatch.setitem(__import__("sys").modules, "_manylinux", types.ModuleType("x"))
    in_container.limit_manylinux(2, 17)
    module = __import__("sys").modules["_manylinux"]
    assert [module.manylinux_compatible(2, minor, "x86_64") for minor in (5, 17, 18, 34)] == [
        True, True, False, False,
    ]  # fmt: skip


def test_lock_names_images(tmp_path: Path) -> None:
    """The header of a lock gives its images; other comments and later lines do not."""
    digest = "sha256:" + "a" * 64
    (tmp_path / "x.lock").write_text(
        f"# Made by\n# image: 3.13 arm64 a:1 a@{digest}\n# image: 3.13 x86_64 b {digest}\n"
        f"# image: broken\nalpha==1 \\\n    --hash=x\n# image: 3.12 arm64 c {digest}\n"
    )
    assert lockfile.images(tmp_path / "x.lock") == [
        Image("3.13", "arm64", "a:1", f"a@{digest}"),
        Image("3.13", "x86_64", "b", digest),
    ]
    assert lockfile.images(tmp_path / "none.lock") == []


def test_no_engine_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs an engine is left out with one message, however many they are."""
    asked = []
    answer = "lambda 'api': none answers at unix:///x.sock"

    def answers(*place: object) -> str:
        asked.append(place)
        return answer

    monkeypatch.setattr(container, "answers", answers)
    image = "a@sha256:" + "a" * 64
    docker_lines = f"    install: docker\n    docker: {{image: '{image}'}}\n"
    write(tmp_path, {
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {n}:\n    handler: app.handler\n{docker_lines}" for n in ("api", "jobs")),
        "lambdas/api/app.py": "def handler(event, context): ...\n",
        "lambdas/jobs/app.py": "def handler(event, context): ...\n",
    })  # fmt: skip
    assert venv.buildable(Project(tmp_path)) == []
    [record] = caplog.records
    assert record.getMessage() == f"{answer}\nLeft out: api, jobs."
    assert len(asked) == 1
