"""Which variants can be built without an engine that answers."""

from pathlib import Path

import pytest

from buildlib.environment import container
from buildlib.errors import InstallError
from buildlib.project.project import Project
from buildlib.steps import engines
from tests.unit.conftest import write


def test_an_absent_engine_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs an engine is left out with its problem; with CI set, that is an error."""
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
    project = Project(tmp_path)
    assert engines.buildable(project) == ([], {"api": answer, "jobs": answer})
    assert len(asked) == 1
    assert engines.leave_out(project) == {"api": answer, "jobs": answer}
    monkeypatch.setenv("CI", "true")
    with pytest.raises(InstallError) as error:
        engines.leave_out(project)
    assert str(error.value) == f"{answer}\nNot built: api, jobs; with CI set, all must be."
