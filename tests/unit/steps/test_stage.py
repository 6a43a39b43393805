"""A staged tree is what its record says, or has no record."""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from buildlib.project.project import Project
from buildlib.steps import run
from tests.unit.conftest import write
from tests.unit.crashes import Crash, each

APP = "def handler(event, context): return 1\n"
FILES = {
    "lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler}\n",
    "lambdas/api/app.py": APP,
    "lambdas/api/pkg/a.py": "A = 1\n",
    "lambdas/api/pkg/b.py": "B = 1\n",
}


def build(root: Path) -> str:
    """Bring the ZIP up to date, and return its sha256."""
    project = Project(root)
    for _ in run.build(project, project.variants["api"]):
        pass
    return hashlib.sha256(project.layout.zip("api").read_bytes()).hexdigest()


def truthful(root: Path) -> None:
    """Check that what is recorded of the staged tree and of the ZIP is so."""
    layout = Project(root).layout
    with contextlib.suppress(FileNotFoundError):
        for path, sha256, *_ in json.loads(layout.stamp("stage", "api").read_text())["record"][
            "own"
        ]:
            content = (layout.staged("api") / path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256, path
    with contextlib.suppress(FileNotFoundError):
        entries = json.loads(layout.index.read_text())
        content = layout.zip("api").read_bytes()
        assert entries["api"]["sha256"] == hashlib.sha256(content).hexdigest()


CHANGES: dict[str, dict[str, str]] = {
    "same size": {"lambdas/api/app.py": APP.replace("1", "2")},
    "several": {"lambdas/api/pkg/a.py": "A = 2\n", "lambdas/api/pkg/b.py": "B = 22\n"},
    "added": {"lambdas/api/pkg/c.py": "C = 1\n"},
}


@pytest.mark.parametrize(
    ("change", "torn"),
    [(None, True), ("same size", False), ("several", True), ("added", True)],
)
def test_a_crash_at_every_step(tmp_path: Path, change: str | None, torn: bool) -> None:
    """A process that dies at any change of a file leaves true records, and the next one builds what
    is there then: the new inputs, or the earlier ones again.
    """
    changed = {**FILES, **CHANGES.get(change or "", {})}
    expected = build(write(tmp_path / "expected", changed))
    before = build(write(tmp_path / "before", FILES))
    work = tmp_path / "work"
    for number, crashes in enumerate(each(work / "build", torn=torn)):
        shutil.rmtree(work, ignore_errors=True)
        if change:
            build(write(work, FILES))
        write(work, changed)
        with contextlib.suppress(Crash), crashes:
            build(work)
        truthful(work)
        if number % 2:
            assert build(work) == expected
        else:
            for path in changed.keys() - FILES:
                (work / path).unlink()
            write(work, FILES)
            shutil.rmtree(work / "dist", ignore_errors=True)
            shutil.rmtree(work / "build/cache/zips-v1", ignore_errors=True)
            assert build(work) == before
        truthful(work)
