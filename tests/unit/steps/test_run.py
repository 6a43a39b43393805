"""The steps, where the whole chain cannot be made to fail."""

import os
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from buildlib.cache.store import Store
from buildlib.files import atomic
from buildlib.model import Written
from buildlib.project.project import Project
from buildlib.steps import stage
from buildlib.steps.zip import clean_zip, make_zip, zip_is_done, zip_is_published
from tests.unit.conftest import write


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Give a repository with one function without dependencies, `api`."""
    write(
        tmp_path,
        {
            "lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler}\n",
            "lambdas/api/app.py": "def handler(event, context): ...\n",
        },
    )
    return Project(tmp_path)


def test_file_system_without_times(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no mtime can be set, the ZIP is the same: its bytes do not come from the tree's."""
    api = project.variants["api"]
    make_zip(project, api)
    before = project.index()
    clean_zip(project, api)
    stage.clean_stage(project, api)
    monkeypatch.setattr(os, "utime", lambda *_, **__: None)
    make_zip(project, api)
    assert project.index() == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"key": "0"}'])
@pytest.mark.parametrize("step", ["stage", "touch", "zip"])
def test_damaged_record(project: Project, step: str, content: str) -> None:
    """A step's record that cannot be used is as good as none: the same ZIP is made again."""
    api = project.variants["api"]
    make_zip(project, api)
    before = project.index()
    project.layout.stamp(step, "api").write_text(content)
    project.layout.zip("api").unlink()
    atomic.remove(project.store.folder)
    again = Project(project.layout.root)
    assert not zip_is_done(again, api)
    make_zip(again, api)
    assert zip_is_done(again, api)
    assert again.index() == before


def test_two_runs_take_from_the_store(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ZIP is taken from the store under the lock of its tree: both runs use one temporary."""
    api = project.variants["api"]
    make_zip(project, api)
    project.layout.zip("api").unlink()
    take, taken = Store.take, []

    def watched(self: Store, key: str, target: Path) -> Written | None:
        with pytest.raises(Timeout):
            FileLock(project.layout.lock("stage-api")).acquire(timeout=0)
        taken.append(key)
        return take(self, key, target)

    monkeypatch.setattr(Store, "take", watched)
    make_zip(Project(project.layout.root), api)
    assert taken == [project.key(api)]
    assert zip_is_published(project, api)
