"""The state of doit: entries of tasks, and marks of tasks forgotten on purpose."""

from pathlib import Path

import pytest
from doit.dependency import JSONCodec

from buildlib.plugin.state import JsonState


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a state in which one task is known."""
    path = tmp_path / "state.json"
    state = opened(path)
    state.set("zip:api", "result:", "x")
    state.dump()
    return path


def opened(path: Path) -> JsonState:
    return JsonState(str(path), codec=JSONCodec())


def test_forget(path: Path) -> None:
    """A task that the user forgets is marked, until something is recorded of it."""
    state = opened(path)
    state.remove("zip:api")
    state.dump()
    state = opened(path)
    assert state.is_forgotten("zip:api")
    assert not state.is_forgotten("zip:other")
    state.set("zip:api", "result:", "y")
    assert not state.is_forgotten("zip:api")


def test_failure(path: Path) -> None:
    """A task that fails in a run is only unknown afterwards: doit has read of it before."""
    state = opened(path)
    assert state.get("zip:api", "ignore:") is None
    state.remove("zip:api")
    assert not state.in_("zip:api")
    assert not state.is_forgotten("zip:api")


def test_failure_of_a_forgotten_task(path: Path) -> None:
    """A forgotten task that fails stays forgotten."""
    opened_first = opened(path)
    opened_first.remove("zip:api")
    opened_first.dump()
    state = opened(path)
    state.get("zip:api", "ignore:")
    state.remove("zip:api")
    assert state.is_forgotten("zip:api")


def test_forget_all(path: Path) -> None:
    """All tasks are forgotten, known or not, until something is recorded of one."""
    state = opened(path)
    state.remove_all()
    assert state.is_forgotten("zip:api")
    assert state.is_forgotten("zip:other")
    state.set("zip:api", "result:", "y")
    assert not state.is_forgotten("zip:api")
    assert state.is_forgotten("zip:other")


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_damaged(path: Path, content: str) -> None:
    """A damaged state counts as lost."""
    path.write_text(content)
    assert not opened(path).in_("zip:api")


def test_nothing_new(path: Path) -> None:
    """A state without changes is not written again."""
    before = path.stat().st_ino
    opened(path).dump()
    assert path.stat().st_ino == before
