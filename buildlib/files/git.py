"""Run git on a repository, in one way under all settings of its user."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Neither hooks nor a file-system monitor of the repository run. Settings of the user must not hide
# the changes of merges, nor put answers of gpg among the commits.
_SETTINGS = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "log.showSignature=false",
    "log.diffMerges=separate",
)


def run(
    root: Path, arguments: Sequence[str], stdin: bytes = b"", timeout: float | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run git in a folder, and return its exit code and output.

    Raises:
        OSError: git is not installed.
        TimeoutExpired: it took longer than `timeout` seconds.

    """
    settings = [word for one in _SETTINGS for word in ("-c", one)]
    return subprocess.run(  # noqa: S603 - git, on a repository of the user
        ["git", *settings, *arguments],  # noqa: S607 - the one that the user has
        cwd=root,
        env=os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        input=stdin,
        capture_output=True,
        check=False,
        timeout=timeout,
    )
