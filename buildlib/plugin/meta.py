"""Facts about a task, in doit's field `meta`: for its action and for the reporter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from doit.task import Task

from buildlib.steps.summary import Done

_KEY = "lambdas"
# doit hands `meta` on to the process that runs a task, and back.
_ASKED = "lambdas: asked"
_DONE = "lambdas: done"
_LEFT_OUT = "lambdas: left out"
_MAKERS = "lambdas: makers"
_FORGOTTEN = "lambdas: forgotten"
_UNCHANGED = "lambdas: unchanged"
_OPEN = "lambdas: open"

# The step of the task that notes variants for which an engine is absent.
ENGINE = "engine"


class Open(Protocol):
    """The index and the uploads of a run."""

    def write(self) -> None:
        """Write the entries that wait."""

    def close(self, say: Callable[[str], None]) -> Mapping[str, str]:
        """Say how far the work at the end is, and return messages of failures by variant."""


class Meta(NamedTuple):
    """The step of a task, the ids of its variants, and the file that it makes to be looked at."""

    step: str
    variants: Sequence[str]
    shows: str = ""


class Asked(NamedTuple):
    """The answer of a task's up-to-date check, for its action.

    `reason` says why there is something to do, and is empty if there is not; `forced` says why the
    task has to run all the same. A task that is `named` was asked for by its name.
    """

    reason: str = ""
    forced: str = ""
    named: bool = False


def meta(step: str, variants: Sequence[str], shows: str = "") -> dict[str, object]:
    """Return the field of one of our tasks."""
    return {_KEY: Meta(step, variants, shows)}


def unchanged(variants: Sequence[str]) -> dict[str, object]:
    """Return a field about variants without tasks, because they have nothing to do."""
    return {_UNCHANGED: variants}


def without_tasks(tasks: Mapping[str, Task]) -> Sequence[str]:
    """Return the ids of the variants that have nothing to do, and so no tasks in a run."""
    found = (task.meta[_UNCHANGED] for task in tasks.values() if _UNCHANGED in (task.meta or {}))
    return next(found, ())


def of_task(task: Mapping[str, Any]) -> Meta | None:
    """Return the facts in the dictionary of one of our tasks; None if it has none."""
    found: Meta | None = task.get("meta", {}).get(_KEY)
    return found


def read(task: Task) -> Meta | None:
    """Return the facts about one of our tasks; None for a task of the repository."""
    found: Meta | None = task.meta.get(_KEY) if task.meta else None
    return found


def note_asked(task: Task, asked: Asked) -> None:
    """Keep the answer of a task's check."""
    if task.meta:
        task.meta[_ASKED] = asked


def asked(task: Task) -> Asked:
    """Return the answer of a task's check."""
    return (task.meta or {}).get(_ASKED) or Asked()


def note_makers(task: Task, names: list[str]) -> None:
    """Keep the names of the tasks that make a function's sources."""
    if task.meta is not None:
        task.meta[_MAKERS] = names


def makers(task: Task) -> list[str]:
    """Return the names of the tasks that make a function's sources."""
    return (task.meta or {}).get(_MAKERS) or []


def note_forgotten(task: Task, names: list[str]) -> None:
    """Keep the names of the tasks of a variant that doit forgot."""
    if task.meta is not None:
        task.meta[_FORGOTTEN] = names


def forgotten(task: Task) -> list[str]:
    """Return the names of the tasks of a variant that doit forgot."""
    return (task.meta or {}).get(_FORGOTTEN) or []


def note_left_out(task: Task, problems: Mapping[str, str]) -> None:
    """Keep the problems of variants that were left out, by their ids."""
    task.meta[_LEFT_OUT] = dict(problems)


def left_out(task: Task) -> dict[str, str]:
    """Return the problems of variants that were left out."""
    return (task.meta or {}).get(_LEFT_OUT) or {}


def keeps_open(some: Open) -> dict[str, object]:
    """Return the part of the field with the index and the uploads of a run."""
    return {_OPEN: some}


def kept_open(task: Task) -> Open | None:
    """Return the index and the uploads of a run, if a task has them."""
    return (task.meta or {}).get(_OPEN)


def note_done(task: Task, done: Done) -> None:
    """Keep the result of a task's action."""
    task.meta[_DONE] = done


def done(task: Task) -> Done:
    """Return the result of a task's action."""
    return (task.meta or {}).get(_DONE) or Done()
