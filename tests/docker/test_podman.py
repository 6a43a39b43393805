"""Podman, run by a user without privileges, in place of Docker."""

import shutil

from tests.conftest import Repository
from tests.docker.conftest import manifest

PODMAN = "unix:///run/doit-lambda-zip/podman/podman.sock"


def test_same_bytes(contained: Repository, pythons: list[str]) -> None:
    """Podman's containers install the same bytes as Docker's; a second run does nothing."""
    contained.doit("zip:api")
    right = contained.sha256()
    for name in ("build", "dist"):
        shutil.rmtree(contained.root / name)
    contained.write({"lambdas.yaml": manifest(pythons[0], {"engine": {"x86_64": PODMAN}})})
    contained.doit("zip:api")
    assert contained.sha256() == right
    assert contained.doit("zip:api").ran == []


def test_a_failure_says_why(contained: Repository, pythons: list[str]) -> None:
    """A setup command that fails in Podman's container says so as in Docker's."""
    docker = {"setup": ["echo because of this >&2; exit 42"], "engine": {"x86_64": PODMAN}}
    contained.write({"lambdas.yaml": manifest(pythons[0], docker)})
    result = contained.fails("zip:api")
    assert "exit code 42" in result.message
    assert "| because of this" in result.message
