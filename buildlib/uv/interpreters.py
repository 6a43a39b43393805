"""The Pythons of this machine: the running one, those on PATH, uv's and pyenv's."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from buildlib.uv import run


def paths(version: str, root: Path) -> Iterator[str]:
    """Yield the paths of Pythons that may have a version, such as `3.13` or `3.13.2`."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    python = ".".join(version.split(".")[:2])
    if version != python:  # the one place that needs no search
        yield from map(str, pyenv.glob(f"{version}/bin/python3"))
    if python == "{}.{}".format(*sys.version_info[:2]):
        yield sys.executable
    on_path = shutil.which(f"python{python}")
    if on_path:
        yield on_path
    result = run.run(["python", "find", version, "--no-project"], root=root, cwd=root)
    if not result.code and result.output.strip():
        yield result.output.strip().splitlines()[-1]
    yield from map(str, sorted(pyenv.glob(f"{version}.*/bin/python3"), reverse=True))
