"""The same run in each view."""

import io
import logging
import os
import re
from pathlib import Path

import pytest

from buildlib import progress
from buildlib.plugin import meta
from buildlib.plugin.tally import Remark, Tally
from buildlib.plugin.views import Groups, Live, Plain, Sections, choose
from buildlib.steps.summary import FAILED, Outcome
from tests.unit.plugin.conftest import Make

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def play(view: Plain, ours: Make, other: Make) -> None:
    """Show a run of every kind of task."""
    lock, venv, final, mine = ours("lock", "api"), ours("venv", "api"), ours("hash", "api"), None
    mine = other("mine")
    view.begin()
    for task in (lock, venv, final, mine, other("_private"), other("group", is_group=True)):
        view.start(task, meta.read(task))
        view.end(task, meta.read(task), failed=False)
    for task in (ours("hash", "jobs"), other("done"), other("_hidden")):
        view.skip(task, meta.read(task))
    view.annotate("zip:api", "lambdas.yaml:3:5: no")
    view.close()
    view.table([Outcome("api", FAILED, "at zip", None, None, 0.0)])


def test_plain(ours: Make, other: Make) -> None:
    """Plain lines are doit's own, but a task of ours that had nothing to do is only counted."""
    stream = io.StringIO()
    play(Plain(stream), ours, other)
    assert stream.getvalue().splitlines() == [
        ".  lock:api", ".  venv:api", ".  hash:api", ".  mine", "-- done", "api: failed (at zip)",
    ]  # fmt: skip


def test_groups(ours: Make, other: Make) -> None:
    """In GitHub Actions a variant's lines are one group, written at its end; errors are marked."""
    stream = io.StringIO()
    play(Groups(stream), ours, other)
    assert stream.getvalue().splitlines() == [
        ".  lock:api",
        "::group::api", ".  venv:api", ".  hash:api", "::endgroup::",
        ".  mine",
        "::error file=lambdas.yaml,line=3,col=5,title=zip%3Aapi::no",
        "api: failed (at zip)",
    ]  # fmt: skip


def test_sections(ours: Make, other: Make) -> None:
    """In GitLab CI a variant's lines are one section, with the time of its first line."""
    stream = io.StringIO()
    play(Sections(stream), ours, other)
    text = re.sub(r"(section_\w+):\d{10}:", r"\1:TIME:", stream.getvalue())
    assert text.split("\n") == [
        ".  lock:api",
        "\x1b[0Ksection_start:TIME:api[collapsed=true]\r\x1b[0Kapi",
        ".  venv:api", ".  hash:api",
        "\x1b[0Ksection_end:TIME:api\r\x1b[0K",
        ".  mine", "api: failed (at zip)", "",
    ]  # fmt: skip


def test_warnings_in_github_actions() -> None:
    """Warnings are annotated, and those over the limit are counted, as are errors."""
    stream = io.StringIO()
    view = Groups(stream)
    for number in range(12):
        view.annotate("zip:api", f"app.py:{number}: no")
    view.warn([Remark(f"odd {number}\x1b", ["app.py:3"]) for number in range(12)])
    lines = stream.getvalue().splitlines()
    assert lines[9] == "::warning file=app.py,line=3,title=lambdas::odd 0\\x1b"
    assert lines[-2:] == [
        "::error title=lambdas::3 more errors; the log has all of them",
        "::warning title=lambdas::3 more warnings; the log has all of them",
    ]


def test_a_group_ends_with_a_failure(ours: Make) -> None:
    """A group is written when a step fails, or when the last step has nothing to do."""
    stream = io.StringIO()
    view = Groups(stream)
    for name in ("api", "jobs"):
        task = ours("zip", name)
        view.start(task, meta.read(task))
        view.end(task, meta.read(task), failed=name == "api")
    assert stream.getvalue() == "::group::api\n.  zip:api\n::endgroup::\n"
    last = ours("hash", "jobs")
    view.skip(last, meta.read(last))
    view.skip(last, meta.read(last))
    assert stream.getvalue().count("::group::jobs") == 1


def test_live(ours: Make, other: Make, tmp_path: Path) -> None:
    """On a terminal only tasks that are not ours have a line; nothing is left in the folder."""
    stream, folder = Terminal(), tmp_path / "activity/1"
    view = Live(stream, Tally(), folder)
    view.begin()
    assert os.environ[progress.FOLDER] == str(folder)
    folder.mkdir(parents=True)
    play(view, ours, other)
    lines = [CONTROL.sub("", line) for line in stream.getvalue().splitlines()]
    assert lines[0] == ".  mine"
    assert lines[1].split()[:3] == ["variant", "done", "why"]
    assert lines[2].split()[:2] == ["api", "failed"]
    assert len(lines) == 3
    assert not folder.parent.exists()
    assert progress.FOLDER not in os.environ


@pytest.mark.parametrize(
    ("stream", "environment", "kind"),
    [
        (Terminal(), {}, Live),
        (Terminal(), {"GITHUB_ACTIONS": "true"}, Groups),
        (io.StringIO(), {"GITHUB_ACTIONS": "true"}, Groups),
        (Terminal(), {"GITLAB_CI": "true", "CI": "true"}, Sections),
        (Terminal(), {"CI": "true"}, Plain),
        (Terminal(), {"TERM": "dumb"}, Plain),
        (io.StringIO(), {}, Plain),
    ],
)
def test_choice(
    stream: io.StringIO,
    environment: dict[str, str],
    kind: type[Plain],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The view follows the stream and the environment."""
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(choose(stream, Tally(), tmp_path)) is kind


def test_logging_is_left_as_it_was(tmp_path: Path) -> None:
    """After a run, warnings of this process go where they went before."""
    logger = logging.getLogger("buildlib")
    progress.detach()  # as after another test of a task
    before = list(logger.handlers)
    view = Live(Terminal(), Tally(), tmp_path / "activity/1")
    view.begin()
    with progress.task("zip:api"):
        logger.warning("look at this")
        assert logger.handlers != before
    view.close()
    assert logger.handlers == before
