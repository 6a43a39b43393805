"""The commit that a report is of: as the CI service gives it, else as git has it.

It stands on the page alone. No artifact, stamp or key has it.

Sources: "Default environment variables" in the documentation of GitHub Actions, and "Predefined
CI/CD variables reference" in that of GitLab.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from buildlib.files import git

# Seconds after which git is not worth the wait.
_PATIENCE = 5


class Revision(NamedTuple):
    """A commit; empty texts are unknown.

    `date` is that of the commit (ISO 8601). `run` is the address of the CI run. `is_dirty` says
    that tracked files differ from the commit.
    """

    commit: str = ""
    branch: str = ""
    date: str = ""
    run: str = ""
    is_dirty: bool = False


def read(root: Path, environ: Mapping[str, str]) -> Revision:
    """Return the revision of a checkout."""
    given = _given(environ)
    commit, _, date = _git(root, "show", "--no-patch", "--format=%H %cI", "HEAD").partition(" ")
    if given.commit not in {"", commit}:
        date = ""  # CI builds another commit than the one that is checked out here
    branch = given.branch or _git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
    return Revision(
        commit=given.commit or commit,
        branch=branch,
        date=date or given.date,
        run=given.run,
        is_dirty=bool(changes),
    )


def _given(environ: Mapping[str, str]) -> Revision:
    if environ.get("GITHUB_SHA"):
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, repository, run = (environ.get(name, "") for name in names)
        return Revision(
            environ["GITHUB_SHA"],
            # A pull request has its own branch in the first, and `12/merge` in the second.
            environ.get("GITHUB_HEAD_REF") or environ.get("GITHUB_REF_NAME", ""),
            run=_link(f"{server}/{repository}/actions/runs/{run}" if run else ""),
        )
    if environ.get("CI_COMMIT_SHA"):
        return Revision(
            environ["CI_COMMIT_SHA"],
            environ.get("CI_COMMIT_REF_NAME", ""),
            environ.get("CI_COMMIT_TIMESTAMP", ""),
            _link(environ.get("CI_PIPELINE_URL", "")),
        )
    return Revision()


def _link(address: str) -> str:
    """Return an address that a page may link to: no other scheme than that of the web."""
    return address if address.startswith(("https://", "http://")) else ""


def _git(root: Path, *arguments: str) -> str:
    """Return the output of git, which writes nothing; empty if it fails."""
    try:
        done = git.run(root, arguments, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
