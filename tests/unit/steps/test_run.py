"""The steps, where the whole chain cannot be made to fail."""

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from buildlib.cache.store import Store
from buildlib.contract import MTIME
from buildlib.files import atomic
from buildlib.model import Written
from buildlib.project.project import Project
from buildlib.steps import pending, run, times
from buildlib.steps.clean import clean
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
    run.perform(project, api, "zip")
    before = project.index()
    clean(project, api, "zip")
    clean(project, api, "stage")
    monkeypatch.setattr(os, "utime", lambda *_, **__: None)
    run.perform(project, api, "zip")
    assert project.index() == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"key": "0"}'])
@pytest.mark.parametrize("step", ["stage", "zip"])
def test_damaged_record(project: Project, step: str, content: str) -> None:
    """A step's record that cannot be used is as good as none: the same ZIP is made again."""
    api = project.variants["api"]
    run.perform(project, api, "zip")
    before = project.index()
    project.layout.stamp(step, "api").write_text(content)
    project.layout.zip("api").unlink()
    atomic.remove(project.cache.folder)
    again = Project(project.layout.root)
    assert pending.reason(again, api, "zip")
    run.perform(again, api, "zip")
    assert pending.reason(again, api, "zip") is None
    assert again.index() == before


def test_untouched_tree(project: Project) -> None:
    """A tree whose folder is not as `touch` left it is touched again; the same ZIP is made."""
    api = project.variants["api"]
    run.perform(project, api, "touch")
    assert pending.reason(project, api, "touch") is None
    os.utime(project.layout.staged("api"))
    again = Project(project.layout.root)
    assert pending.reason(again, api, "touch") == "the staged tree has no canonical metadata"
    run.perform(again, api, "touch")
    assert pending.reason(again, api, "touch") is None


def test_a_changed_file_is_touched(project: Project) -> None:
    """After an edit, also in a folder of the source, the staged file gets canonical metadata."""
    api = project.variants["api"]
    path = project.layout.root / "lambdas/api/deep/one.py"
    path.parent.mkdir()
    for content in ("A = 1\n", "A = 2\n"):
        path.write_text(content)
        run.perform(Project(project.layout.root), api, "touch")
        staged = project.layout.staged("api") / "deep/one.py"
        assert (staged.read_text(), staged.stat().st_mtime) == (content, MTIME)


@pytest.mark.parametrize(("small", "met"), [(1 << 20, False), (0, True)])
def test_small_functions_take_turns(
    project: Project, monkeypatch: pytest.MonkeyPatch, small: int, met: bool
) -> None:
    """Threads work on one small function at a time, and on several others."""
    functions = "{api: {handler: app.handler}, jobs: {handler: app.handler, source: lambdas/api}}"
    write(project.layout.root, {"lambdas.yaml": f"version: 1\nlambdas: {functions}\n"})
    barrier, meetings = threading.Barrier(2), []

    @contextlib.contextmanager
    def timed(*_: object) -> Iterator[None]:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(1)
            meetings.append("met")
        yield

    monkeypatch.setattr(times, "timed", timed)
    monkeypatch.setattr(run, "_SMALL", small)
    both = Project(project.layout.root)
    with ThreadPoolExecutor(2) as pool:
        for variant in both.variants.values():
            pool.submit(run.perform, both, variant, "stage")
    assert bool(meetings) == met


def test_two_runs_take_from_the_store(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ZIP is taken from the cache under the lock of its variant: both runs use one temporary."""
    api = project.variants["api"]
    run.perform(project, api, "zip")
    project.layout.zip("api").unlink()
    take, taken = Store.take, []

    def watched(self: Store, key: str, target: Path) -> Written | None:
        with pytest.raises(Timeout):
            FileLock(project.layout.lock("build-api")).acquire(timeout=0)
        taken.append(key)
        return take(self, key, target)

    monkeypatch.setattr(Store, "take", watched)
    run.perform(Project(project.layout.root), api, "zip", named=True)
    assert taken == [project.inputs(api).key]
    assert pending.reason(project, api, "zip", named=True) is None
