"""Runs that doit is told to do: `-a`, `-s`, `doit forget`, a step that is named alone."""

import re

import pytest

from buildlib.files import atomic
from tests.conftest import Repository

STEPS = ["venv:api", "stage:api", "touch:api", "zip:api"]


def reason(output: str) -> str:
    """Return the reason that the summary gives for `api`."""
    match = re.search(r"^api: built \((.*)\): ", output, re.MULTILINE)
    return match[1] if match else ""


def test_always(repository: Repository) -> None:
    """`-a` does every step again, to the same bytes, and the summary and `why` say so."""
    repository.doit()
    before = repository.sha256()
    result = repository.doit("-a", "zip:api")
    assert result.ran == STEPS
    assert reason(result.output) == "every task was forced to run"
    assert repository.sha256() == before
    assert "last build: every task was forced to run" in repository.doit("why:api").output


def test_forgotten(repository: Repository) -> None:
    """A forgotten step runs alone, with the reason; the next run has nothing to do."""
    repository.doit()
    repository.doit("forget", "zip:api")
    result = repository.doit()
    assert result.ran == ["zip:api"]
    assert reason(result.output) == "forgotten with doit forget"
    assert repository.doit().output.endswith("1 unchanged\n")


@pytest.mark.parametrize("processes", [["-n", "0"], ["-n", "2", "-P", "process"]])
def test_the_steps_tell_in_every_process(repository: Repository, processes: list[str]) -> None:
    """What a step did reaches the summary from whichever process did it."""
    assert reason(repository.doit(*processes).output) == "first build here"


def test_an_installation_alone(dependent: Repository) -> None:
    """A run that installs, and ends before the ZIP, is neither built nor unchanged."""
    output = dependent.doit("venv:api").output
    assert re.search(r"^api: venv only$", output, re.MULTILINE)
    assert "unchanged" not in output


def test_a_single_step_heals(repository: Repository) -> None:
    """`-s zip` without anything before it does the earlier steps first."""
    result = repository.doit("-s", "zip:api")
    assert result.ran == ["zip:api"]
    assert reason(result.output) == "first build here"
    assert (repository.root / "build/stage/api/app.py").exists()


def test_tidied_up(dependent: Repository) -> None:
    """Results that somebody removed between two steps are made again, to the same bytes."""
    dependent.doit()
    before = dependent.sha256()["api"]
    for folder in ("env", "stage", "store", "zip"):
        for path in (dependent.root / "build" / folder).glob("*"):
            atomic.remove(path)
    (dependent.root / "dist/api.zip").unlink()
    dependent.doit("-s", "zip:api")
    assert dependent.sha256()["api"] == before


@pytest.mark.parametrize("step", ["lock", *(name.partition(":")[0] for name in STEPS)])
def test_why_and_run_agree_about_a_forgotten_step(dependent: Repository, step: str) -> None:
    """`doit why` names the forgotten step, the run does it, and then both find nothing to do."""
    dependent.doit()
    dependent.doit("forget", f"{step}:api")
    assert f"api: {step} will run: forgotten with doit forget" in dependent.doit("why:api").output
    assert dependent.doit("zip:api", "hash:api").ran == [f"{step}:api"]
    assert "api is up to date" in dependent.doit("why:api").output
    assert dependent.doit().ran == []
