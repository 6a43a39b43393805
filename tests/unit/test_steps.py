"""The steps, where the whole chain cannot be made to fail."""

import os
from pathlib import Path

import pytest

from buildlib import steps
from buildlib.errors import StageError
from buildlib.project import Project
from tests.unit.conftest import write


def test_file_system_without_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a tree never becomes canonical, there is an error; an empty ZIP is not published."""
    write(
        tmp_path,
        {
            "lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler}\n",
            "lambdas/api/app.py": "def handler(event, context): ...\n",
        },
    )
    monkeypatch.setattr(os, "utime", lambda *_, **__: None)
    project = Project(tmp_path)
    with pytest.raises(StageError, match=r"^build/stage/api is not what was just staged there"):
        steps.make_zip(project, project.variants["api"])
    assert not (tmp_path / "dist").exists() or not list((tmp_path / "dist").iterdir())
