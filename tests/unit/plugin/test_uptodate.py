"""How doit learns whether a step has anything to do."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from doit.dependency import JSONCodec, JsonDB
from doit.task import Task

from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.plugin import actions, meta
from buildlib.plugin.selection import lock_options
from buildlib.plugin.state import JsonState
from buildlib.plugin.uptodate import LockUpToDate, StepUpToDate, UpToDate
from buildlib.project.project import Project


def nothing(*_: object) -> None:
    return None


def stale(*_: object) -> str:
    return "app.py changed"


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
    assert ask(UpToDate(nothing), task, state)
    assert not ask(UpToDate(stale), task, state)
    assert not state.in_("zip:api")


@pytest.mark.parametrize("error", [BuildError("no"), OSError("no")])
def test_a_check_that_fails(state: JsonState, error: Exception) -> None:
    """A check that cannot tell leaves it to the step, which says why."""

    def check() -> str:
        raise error

    assert not ask(UpToDate(check), Task("zip:api", None), state)


def test_forgotten(state: JsonState, tmp_path: Path) -> None:
    """A task that was forgotten runs; to another backend, each unknown task was."""
    task = Task("zip:api", None)
    state.remove("zip:api")
    assert not ask(UpToDate(nothing), task, state)
    backend = JsonDB(str(tmp_path / "other.json"), codec=JSONCodec())
    assert not ask(UpToDate(nothing), task, backend)
    backend.set("zip:api", "result:", "x")
    assert ask(UpToDate(nothing), task, backend)


def test_signature() -> None:
    """A check takes the task alone, so that doit reads nothing else for it."""
    check = UpToDate(nothing)
    assert list(inspect.signature(check).parameters) == ["task"]
    assert list(inspect.signature(type(check).__call__).parameters) == ["self", "task"]


def lock_tasks() -> dict[str, Task]:
    """Return the tasks of a lockfile that two functions share."""
    both = {"lock:api": Task("lock:api", [nothing], params=lock_options(), meta={"x": 1})}
    both["lock:jobs"] = Task("lock:jobs", None, params=lock_options())
    return both | {"lock": Task("lock", None, params=lock_options())}


def lock_check(reason: Callable[..., str | None] = nothing) -> LockUpToDate:
    return LockUpToDate(lambda *_: reason(), None, None, ["lock:jobs"])


@pytest.mark.parametrize("name", ["lock:api", "lock:jobs", "lock"])
def test_a_lock_that_is_named(state: JsonState, name: str) -> None:
    """A named lock stays as it is while it is up to date; else the action learns of the name."""
    tasks = lock_tasks()
    tasks[name].init_options()
    assert ask(lock_check(), tasks["lock:api"], state, tasks)
    assert not ask(lock_check(stale), tasks["lock:api"], state, tasks)
    assert meta.asked(tasks["lock:api"]).named


def test_a_lock_that_is_not_named(state: JsonState) -> None:
    """A lock that another task needs is not taken for a named one."""
    tasks = lock_tasks()
    assert not ask(lock_check(stale), tasks["lock:api"], state, tasks)
    assert not meta.asked(tasks["lock:api"]).named


@pytest.mark.parametrize("name", ["lock:api", "lock:jobs", "lock"])
@pytest.mark.parametrize(
    ("arguments", "everything", "packages"),
    [
        (["--upgrade"], True, []),
        (["--upgrade-package", "b", "--upgrade-package=a"], False, ["a", "b"]),
    ],
)
def test_upgrades(
    state: JsonState, name: str, arguments: list[str], everything: bool, packages: list[str]
) -> None:
    """The options of each task of a lockfile, and of the group, reach the one that makes it."""
    tasks = lock_tasks()
    tasks[name].init_options(arguments)
    assert not ask(lock_check(), tasks["lock:api"], state, tasks)
    assert tasks["lock:api"].options == {"upgrade": everything, "upgrade_package": packages}
    assert meta.asked(tasks["lock:api"]).named


def test_a_zip_that_is_named(state: JsonState, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ZIP that was selected by name must be in dist/; for others the store is enough."""
    task = Task("zip:api", [nothing], meta={})
    checks = actions.Checks(cast("Project", None), cast("Variant", None))
    monkeypatch.setattr(checks, "reason", lambda _, named: "not in dist/" if named else None)
    check = StepUpToDate(checks, "zip", "api")
    assert ask(check, task, state)
    task.init_options()
    assert not ask(check, task, state)


def test_the_action_is_told_why(state: JsonState) -> None:
    """The task's action learns the reason, and that an up-to-date task was forgotten."""
    task = Task("zip:api", None, meta=meta.meta("zip", ["api"]))
    ask(UpToDate(stale), task, state)
    assert meta.asked(task) == meta.Asked("app.py changed")
    ask(UpToDate(nothing), task, state)
    assert meta.asked(task) == meta.Asked()
    state.remove("zip:api")
    ask(UpToDate(nothing), task, state)
    assert meta.asked(task).forced


def test_no_objects_are_shown() -> None:
    """The text of a check, which `doit info` shows, is its question and not an object."""
    assert repr(UpToDate(nothing, object())) == "nothing, which `doit why` explains"
