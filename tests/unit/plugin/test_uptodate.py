"""How doit learns whether a step has anything to do."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
from doit.dependency import JSONCodec, JsonDB
from doit.task import Task

from buildlib.errors import BuildError
from buildlib.plugin.state import JsonState
from buildlib.plugin.uptodate import LockUpToDate, UpToDate, ZipUpToDate


def is_done(*_: object) -> bool:
    return True


def ask(check: UpToDate, task: Task, backend: JsonDB, tasks: dict[str, Task] | None = None) -> bool:
    check.setup(SimpleNamespace(backend=backend), tasks or {task.name: task})
    return check(task)


@pytest.fixture
def state(tmp_path: Path) -> JsonState:
    """Give a state in which no task is known."""
    return JsonState(str(tmp_path / "state.json"), codec=JSONCodec())


def test_the_check_decides(state: JsonState) -> None:
    """An unknown task is up to date if its step is done, and the question changes nothing."""
    task = Task("zip:api", None)
    assert ask(UpToDate(is_done), task, state)
    assert not ask(UpToDate(lambda: False), task, state)
    assert not state.in_("zip:api")


@pytest.mark.parametrize("error", [BuildError("no"), OSError("no")])
def test_a_check_that_fails(state: JsonState, error: Exception) -> None:
    """A check that cannot tell leaves it to the step, which says why."""

    def check() -> bool:
        raise error

    assert not ask(UpToDate(check), Task("zip:api", None), state)


def test_forgotten(state: JsonState, tmp_path: Path) -> None:
    """A task that was forgotten runs; to another backend, each unknown task was."""
    task = Task("zip:api", None)
    state.remove("zip:api")
    assert not ask(UpToDate(is_done), task, state)
    backend = JsonDB(str(tmp_path / "other.json"), codec=JSONCodec())
    assert not ask(UpToDate(is_done), task, backend)
    backend.set("zip:api", "result:", "x")
    assert ask(UpToDate(is_done), task, backend)


def test_signature() -> None:
    """A check takes the task alone, so that doit reads nothing else for it."""
    check = UpToDate(is_done)
    assert list(inspect.signature(check).parameters) == ["task"]
    assert list(inspect.signature(type(check).__call__).parameters) == ["self", "task"]


def test_a_lock_that_is_named(state: JsonState) -> None:
    """A lock that was selected by its name or its group is resolved again; others only if stale."""
    task, group = Task("lock:api", [is_done]), Task("lock", None)
    check = LockUpToDate(is_done)
    assert ask(check, task, state, {"lock:api": task, "lock": group})
    group.init_options()
    assert not ask(check, task, state, {"lock:api": task, "lock": group})
    assert task.options["renew"] is True


def test_a_zip_that_is_named(state: JsonState) -> None:
    """A ZIP that was selected by name must be in dist/; for others the store is enough."""
    task = Task("zip:api", [is_done])
    check = ZipUpToDate(is_done, lambda: False, "zip:api")
    assert ask(check, task, state)
    task.init_options()
    assert not ask(check, task, state)


def test_no_objects_are_shown() -> None:
    """The text of a check, which `doit info` shows, is its question and not an object."""
    assert repr(UpToDate(is_done, object())) == "is done"
