"""A worker believes nothing that it gets, and gives back what a local build gives."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from buildlib.commands.farm import pack, versions, worker
from buildlib.errors import FarmError
from buildlib.project.project import Project
from buildlib.steps import run
from tests.unit.conftest import write

SESSION = "0" * 32


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Give a project with one function."""
    files = {
        "lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler}\n",
        "lambdas/api/app.py": "def handler(event, context): ...\n",
    }
    return Project(write(tmp_path / "repository", files))


def content(project: Project, known: set[str] | None = None) -> dict[str, Any]:
    """Return the job of the function for a worker that has `known` contents."""
    variant = project.variants["api"]
    found = pack.contents(project, variant, pack.manifest(project, [variant]))
    return pack.job(SESSION, variant, project.inputs(variant).key, found, known or set())


def test_the_same_bytes(project: Project, tmp_path: Path) -> None:
    """The answer has the key and the ZIP of a local build; only environments stay there."""
    answer = worker.build(str(tmp_path), content(project))
    list(run.build(project, project.variants["api"]))
    assert answer["zip"] == project.layout.zip("api").read_bytes()
    assert answer["key"] == project.inputs(project.variants["api"]).key
    assert not list(tmp_path.glob("lambdas-*/repository/dist/*.zip"))
    worker.forget(str(tmp_path), SESSION)


def test_contents_are_sent_once(project: Project, tmp_path: Path) -> None:
    """A worker asks for contents that it lacks, and keeps those that it has."""
    whole = content(project)
    bare = content(project, set(whole["files"].values()))
    assert bare["blobs"] == {}
    answer = worker.build(str(tmp_path), bare)
    assert answer == {"missing": sorted({*whole["files"].values()})}
    assert "zip" in worker.build(str(tmp_path), whole)
    assert "zip" in worker.build(str(tmp_path), bare)


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../out", "a/../../out", "a//b", "./a", "", "a/", "C:/out", "a\\..\\b"),
        *("build/zip/api.json", "dist/api.zip", "a\0b"),
    ],
)
def test_paths_stay_below_the_folder(project: Project, tmp_path: Path, path: str) -> None:
    """A path that leaves the folder, or is one of build output, is refused; nothing is written."""
    job, data = content(project), b"evil"
    sha256 = hashlib.sha256(data).hexdigest()
    job["files"][path] = sha256
    job["blobs"][sha256] = data
    folder = tmp_path / "worker"
    folder.mkdir()
    assert "a file in a wrong place" in worker.build(str(folder), job)["error"]
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert not [one for one in written if one.parts[0] == "out" or one.name == "passwd"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"session": "../../x"}, "the session of a job has a wrong form"),
        ({"files": {"a": "../b"}}, "names a content that is no sha256"),
        ({"blobs": {"0" * 64: b"x"}}, "another sha256 than its name"),
        ({"key": "0" * 64}, "these files give the key"),
    ],
)
def test_wrong_jobs(project: Project, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A job with a wrong session, digest, content or key is refused with its reason."""
    answer = worker.build(str(tmp_path / "worker"), content(project) | change)
    assert message in answer["error"]


def test_a_defect_is_an_answer(tmp_path: Path) -> None:
    """An exception that nobody expects comes back as text, because not each can be sent."""
    assert worker.build(str(tmp_path), {})["failure"].startswith("KeyError")


def test_settings_with_credentials_are_not_sent(project: Project) -> None:
    """Credentials in requirements or settings stop a job; variables in their place do not."""
    root, variant = project.layout.root, project.variants["api"]
    write(root, {"uv.toml": 'index-url = "https://${UV_INDEX_USER}:${UV_INDEX_PASSWORD}@host/"'})
    assert pack.contents(project, variant, b"")
    for secret in ("user:password", "token"):
        write(root, {"uv.toml": f'index-url = "https://{secret}@host/"'})
        with pytest.raises(FarmError, match=r"uv\.toml contains credentials"):
            pack.contents(project, variant, b"")


def test_the_manifest_has_the_cache(tmp_path: Path) -> None:
    """Workers use the remote cache of the manifest by its rules of trust."""
    text = (
        "version: 1\ncache: {remote: 's3://bucket/a', trust: signed, "
        "keys: {ci: MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=}}\n"
        "lambdas:\n  api: {handler: app.handler}\n"
    )
    files = {"lambdas.yaml": text, "lambdas/api/app.py": "def handler(event, context): ...\n"}
    project = Project(write(tmp_path / "one", files))
    sent = pack.manifest(project, project.variants.values())
    assert json.loads(sent)["cache"]["keys"].keys() == {"ci"}
    other = Project(write(tmp_path / "two", files | {"lambdas.yaml": sent}))
    assert other.manifest.cache == project.manifest.cache


def test_versions() -> None:
    """Each fact that differs is named with both values; equal facts give nothing."""
    here = versions.here()
    assert list(versions.differences(here, here)) == []
    assert list(versions.differences(here, here | {"uv": "0.1"})) == [
        f"uv is 0.1 there and {here['uv']} here"
    ]
    assert len(list(versions.differences(here, {}))) == len(here)
