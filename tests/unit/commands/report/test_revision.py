"""The commit of a report."""

import os
import subprocess
from pathlib import Path

import pytest

from buildlib.commands.report import revision
from buildlib.commands.report.revision import Revision

GITHUB = {
    "GITHUB_SHA": "a" * 40,
    "GITHUB_REF_NAME": "12/merge",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "team/functions",
    "GITHUB_RUN_ID": "77",
}
GITLAB = {
    "CI_COMMIT_SHA": "b" * 40,
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_TIMESTAMP": "2026-11-28T20:27:09+00:00",
    "CI_PIPELINE_URL": "https://gitlab.example/p/1",
}


def git(root: Path, *arguments: str) -> None:
    """Run git with a name and a clock of its own."""
    names = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(
        ["git", *names, *arguments],
        cwd=root,
        check=True,
        env={"GIT_COMMITTER_DATE": "2026-11-28T20:27:09+0100", "PATH": "/usr/bin:/bin"},
        capture_output=True,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a checkout with one commit on the branch `topic`."""
    git(tmp_path, "init", "--quiet", "--initial-branch=topic")
    (tmp_path / "app.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=one")
    return tmp_path


def test_local(checkout: Path) -> None:
    """On a laptop git knows commit, branch and date; only tracked files make it dirty."""
    found = revision.read(checkout, {})
    assert len(found.commit) == 40
    assert found[1:] == ("topic", "2026-11-28T20:27:09+01:00", "", False)
    (checkout / "notes.txt").write_text("untracked\n")
    assert revision.read(checkout, {}) == found
    (checkout / "app.py").write_text("2\n")
    assert revision.read(checkout, {}) == found._replace(is_dirty=True)


def test_it_only_reads(checkout: Path) -> None:
    """Git's own files stay as they are, although a status would refresh the index."""
    os.utime(checkout / "app.py", (1, 1))
    before = (checkout / ".git/index").read_bytes()
    revision.read(checkout, {})
    assert (checkout / ".git/index").read_bytes() == before


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a checkout, or without git, nothing is known, and nothing fails."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision.read(tmp_path, {}) == Revision()
    monkeypatch.setenv("PATH", "")
    assert revision.read(tmp_path, {}) == Revision()


def test_github(checkout: Path) -> None:
    """On GitHub the variables decide, and a pull request has the name of its branch.

    The date of the checked-out commit is not that of another one.
    """
    link = "https://github.example/team/functions/actions/runs/77"
    assert revision.read(checkout, GITHUB) == Revision("a" * 40, "12/merge", "", link)
    found = revision.read(checkout, GITHUB | {"GITHUB_HEAD_REF": "fix"})
    assert found.branch == "fix"
    here = revision.read(checkout, {})
    found = revision.read(checkout, GITHUB | {"GITHUB_SHA": here.commit})
    assert found.date == here.date


def test_gitlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On GitLab the variables have all of it, also without git."""
    monkeypatch.setenv("PATH", "")
    assert revision.read(tmp_path, GITLAB) == Revision(
        "b" * 40, "main", "2026-11-28T20:27:09+00:00", "https://gitlab.example/p/1"
    )


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//x", ""])
def test_only_links_of_the_web(tmp_path: Path, address: str) -> None:
    """An address that a click would run is no link."""
    assert revision.read(tmp_path, GITLAB | {"CI_PIPELINE_URL": address}).run == ""
    assert revision.read(tmp_path, GITHUB | {"GITHUB_SERVER_URL": address}).run == ""
