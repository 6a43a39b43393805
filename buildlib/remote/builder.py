"""The name of this builder in entries, for the people who compare two builds."""

import getpass
import platform
from collections.abc import Mapping

from buildlib.text import harmless
from buildlib.uv.redact import redact

_LONGEST = 300  # characters


def name(environ: Mapping[str, str]) -> str:
    """Return the address of the CI run, or else the user and the machine.

    The variables are those of "Default environment variables" in the documentation of GitHub
    Actions, and of "Predefined CI/CD variables reference" in that of GitLab.
    """
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (environ.get(name, "") for name in names)
    if run:
        found = f"{server}/{repository}/actions/runs/{run}"
    else:
        found = environ.get("CI_JOB_URL") or f"{_user()} on {platform.node()}"
    return harmless(redact(found))[:_LONGEST]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "a user"
