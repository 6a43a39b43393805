"""The work of tasks: errors of the user are failed tasks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from doit.exceptions import InvalidDodoFile, TaskError, TaskFailed

from buildlib.errors import BuildError
from buildlib.plugin import actions

TASK: Any = SimpleNamespace(name="zip:api")


@pytest.mark.parametrize("error", [BuildError("no"), OSError(28, "no")])
def test_a_mistake_is_a_failed_task(error: Exception) -> None:
    """A mistake that the user can mend is a failed task with its message."""

    def make(*_: object) -> None:
        raise error

    failed = actions.act(make, 1, task=TASK)
    assert isinstance(failed, TaskFailed)
    assert failed.get_msg().startswith("no")


def test_a_defect_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other exception is an error with a message; its traceback is in a file."""
    monkeypatch.chdir(tmp_path)

    def make(*_: object) -> None:
        raise ZeroDivisionError

    failed = actions.act(make, task=TASK)
    assert isinstance(failed, TaskError)
    assert "internal error in doit-lambda-zip" in failed.get_msg()
    assert "Traceback" not in failed.get_msg()
    [report] = (tmp_path / "build/defects").iterdir()
    assert "ZeroDivisionError" in report.read_text()


def test_arguments() -> None:
    """The work gets its arguments and options, and not doit's task."""
    seen: list[object] = []

    def make(*arguments: object, **options: object) -> None:
        seen.extend([arguments, options])

    assert actions.act(make, 1, 2, task=TASK, renew=True) is None
    assert seen == [(1, 2), {"renew": True}]


@pytest.mark.parametrize("is_github", [True, False])
def test_a_mistake_of_the_manifest(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_github: bool,
) -> None:
    """A mistake of the manifest is one message, which GitHub Actions gets as an annotation, too."""
    monkeypatch.setenv("GITHUB_ACTIONS", str(is_github).lower())
    (tmp_path / "lambdas.yaml").write_text("version: 1\nlambdas:\n  api: {hander: x}\n")
    with pytest.raises(InvalidDodoFile, match="unknown key 'hander'"):
        actions.load(tmp_path, generated=False, runs=False)
    written = capsys.readouterr().out
    assert written.startswith("::error file=lambdas.yaml,line=3,") == is_github
