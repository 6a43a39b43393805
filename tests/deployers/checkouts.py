"""Checkouts with the functions of a how-to page, and the tools that deploy them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Repository


def program(name: str, installed_by: str) -> str:
    """Return the path of a program; skip without it, and fail in CI."""
    found = shutil.which(name)
    if found is None:
        assert "CI" not in os.environ, f"CI must have {name}"
        pytest.skip(f"{name} is not installed: {installed_by}")
    return found


def run(*command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a program, which must succeed; return its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert not done.returncode, done.stdout
    return done.stdout


def checkout(
    repository: Repository, name: str, files: Mapping[str, str], umask: int = 0o022
) -> Repository:
    """Write files into a new checkout."""
    new = Repository(repository.root.parent / name, dict(repository.environment))
    before = os.umask(umask)
    try:
        new.write(files)
    finally:
        os.umask(before)
    return new


def sources(function: str, layer: str, handler: str = "handler") -> dict[str, str]:
    """Return a repository with a function that uses a layer."""
    return {
        "lambdas.yaml": (
            "version: 1\ndefaults:\n  architecture: arm64\n"
            f"layers:\n  {layer}:\n    include:\n      - {{path: layers/{layer}, as: .}}\n"
            f"lambdas:\n  {function}:\n    handler: app.{handler}\n    layers: [{layer}]\n"
        ),
        f"lambdas/{function}/app.py": HANDLER.replace("def handler", f"def {handler}"),
        f"layers/{layer}/acme_log.py": "def say(text):\n    print(text)\n",
    }
