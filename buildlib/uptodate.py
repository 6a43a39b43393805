"""How doit learns whether a step has anything to do: it asks the step."""

import inspect
from collections.abc import Callable
from typing import Any

from doit.dependency import Dependency, UptodateCalculator
from doit.task import Task

from buildlib.errors import BuildError

Check = Callable[..., bool]


class Ask(UptodateCalculator):  # type: ignore[misc] # doit has no type hints
    """An `uptodate` that asks `check(*arguments)`, and honours `doit forget`.

    doit's state is only asked whether a task was forgotten. A state that is missing, as after a
    fresh checkout or a kill, means nothing: the steps' own records decide.
    """

    # doit asks for the signature before each check; this saves it from finding it out.
    __signature__ = inspect.signature(lambda task, values: None)  # noqa: ARG005

    def __init__(self, check: Check, *arguments: object) -> None:
        super().__init__()
        self._check = check
        self._arguments = arguments
        self._state: Dependency | None = None

    def setup(self, dep_manager: Dependency, tasks_dict: dict[str, Task]) -> None:
        """Take what doit knows; called before each check."""
        super().setup(dep_manager, tasks_dict)
        self._state = dep_manager

    def __call__(self, task: Task, values: dict[str, Any]) -> bool:  # noqa: ARG002 - doit's names
        """Tell doit whether the task is up to date."""
        try:
            done = self._check(*self._arguments)
        except (BuildError, OSError):
            return False  # the step will say the same, in a way that doit shows well
        if not done:
            return False
        if self._state is None or self._state.backend.in_(task.name):
            return True
        if self._is_forgotten(task.name):
            return False
        self._state.save_success(task)
        return True

    def _is_forgotten(self, name: str) -> bool:
        ask = getattr(self._state.backend, "is_forgotten", None) if self._state else None
        # To another backend than ours, a task that is missing was forgotten.
        return bool(ask(name)) if ask else True

    def __repr__(self) -> str:
        """Return what `doit info` shows of a task that is not up to date."""
        return self._check.__name__.replace("_", " ")


class AskLock(Ask):
    """The same for a lock; one that was named on the command line is made anew on purpose."""

    def __call__(self, task: Task, values: dict[str, Any]) -> bool:
        """Tell doit whether the lock is up to date."""
        group = self.tasks_dict.get("lock")
        # doit has parsed options only for the tasks that were selected by name.
        if task.options is not None or (group is not None and group.options is not None):
            task.init_options()
            task.options["renew"] = True
            return False
        return super().__call__(task, values)
