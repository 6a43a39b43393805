"""doit's shell completion knows the tasks."""

import re
import shutil
import subprocess

import pytest

from tests.conftest import Repository


def test_what_bash_asks(dependent: Repository) -> None:
    """The commands in doit's completion script list the groups, and the variants of one."""
    script = dependent.doit("tabcompletion").output
    assert re.search(r"list .*--quiet", script)
    groups = dependent.doit("list", "--file=dodo.py", "--quiet").output.split()
    assert {"zip", "lock", "index", "watch", "why"} <= set(groups)
    names = dependent.doit("list", "--file=dodo.py", "--quiet", "--all", "zip").output.split()
    assert {"zip:api", "zip:jobs", "zip:jobs-py3.12-x86_64"} <= set(names)
    assert "why:api" in dependent.doit("list", "--quiet", "--all", "why").output.split()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_is_one(repository: Repository, shell: str) -> None:
    """The shell can read the script."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    script = repository.doit("tabcompletion", "-s", shell).output
    subprocess.run([program, "-n"], input=script, text=True, check=True)
