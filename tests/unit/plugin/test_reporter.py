"""The reporter: its lines for each end of a task, and the end of a run."""

import io
from pathlib import Path

import pytest
from doit.exceptions import BaseFail, TaskError, TaskFailed, UnmetDependency

from buildlib.plugin.reporter import FAILURE, Reporter
from tests.unit.plugin.conftest import Make


@pytest.fixture
def stream() -> io.StringIO:
    """Give the stream that the reporter writes to."""
    return io.StringIO()


@pytest.fixture
def reporter(stream: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reporter:
    """Give a reporter of plain lines in an empty repository."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI", "LAMBDA_ZIP_AGAINST"):
        monkeypatch.delenv(name, raising=False)
    reporter = Reporter(stream, {})
    reporter.initialize({}, [])
    return reporter


def test_nothing(reporter: Reporter, stream: io.StringIO) -> None:
    """A run in which nothing of ours was asked says nothing."""
    reporter.complete_run()
    assert not stream.getvalue()


def test_a_file_to_look_at(reporter: Reporter, stream: io.StringIO, ours: Make) -> None:
    """The file that a task makes is named at the end, also if it had nothing to do."""
    reporter.skip_uptodate(ours("report", shows="dist/report.html"))
    reporter.skip_uptodate(ours("hash", "api"))
    reporter.complete_run()
    assert stream.getvalue() == "1 unchanged\ndist/report.html\n"


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (TaskFailed("no"), "zip:api failed\nno\n"),
        (TaskError("no"), "zip:api failed\nno\n"),
        (UnmetDependency("y"), ""),
    ],
)
def test_a_failure_of_ours(
    reporter: Reporter, stream: io.StringIO, ours: Make, fail: BaseFail, said: str
) -> None:
    """A failure is said once: a task that only waited is counted."""
    reporter.add_failure(ours("zip", "api"), fail)
    assert stream.getvalue() == said


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (TaskFailed("no"), "mine failed\nno\n"),
        (TaskError("no"), "mine failed\nno\n"),
        (TaskFailed("no", report=False), ""),
        (UnmetDependency("y"), "mine was skipped because it needs y\n"),
    ],
)
def test_a_failure_of_others(
    reporter: Reporter, stream: io.StringIO, other: Make, fail: BaseFail, said: str
) -> None:
    """A task of others that failed or waited has no part in the summary, so it is said."""
    reporter.add_failure(other("mine"), fail)
    assert stream.getvalue() == said


def test_a_group_that_waited(reporter: Reporter, stream: io.StringIO, other: Make) -> None:
    """A group of tasks does nothing itself, so it is not said that it did not run."""
    reporter.add_failure(other("zip", is_group=True), UnmetDependency("y"))
    assert not stream.getvalue()


@pytest.mark.parametrize(
    ("fails", "code"),
    [
        ([TaskFailed("no"), UnmetDependency("x")], FAILURE),
        ([TaskFailed("no"), TaskError("no")], None),  # doit's own code
        ([UnmetDependency("x")], None),
        ([], None),
    ],
)
def test_the_end(reporter: Reporter, ours: Make, fails: list[BaseFail], code: int | None) -> None:
    """A run ends with 1 if tasks failed as tasks may, and as doit says otherwise."""
    for fail in fails:
        reporter.add_failure(ours("zip", "api"), fail)
    if code is None:
        reporter.complete_run()
        return
    with pytest.raises(SystemExit) as caught:
        reporter.complete_run()
    assert caught.value.code == code


def test_ctrl_c(reporter: Reporter, stream: io.StringIO, ours: Make) -> None:
    """After Ctrl-C the run says so, and ends as a shell expects."""
    reporter.execute_task(ours("zip", "api"))

    def interrupt() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            reporter.complete_run()

    with pytest.raises(SystemExit) as caught:
        interrupt()
    assert caught.value.code == 130  # as a shell says it of SIGINT
    lines = stream.getvalue().splitlines()
    assert lines[:2] == [".  zip:api", "api: interrupted (at zip)"]
    assert lines[-1].startswith("Interrupted. ")
