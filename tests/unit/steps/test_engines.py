"""Which variants can be built without an engine that answers."""

from pathlib import Path

import pytest

from buildlib.environment import container
from buildlib.project.project import Project
from buildlib.steps import engines
from tests.unit.conftest import write


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
    assert engines.buildable(Project(tmp_path)) == []
    [record] = caplog.records
    assert record.getMessage() == f"{answer}\nLeft out: api, jobs."
    assert len(asked) == 1
