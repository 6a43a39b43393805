"""How doit learns whether a step has anything to do: it asks the step."""

import inspect
from collections.abc import Callable

from doit.dependency import Dependency, JsonDB, UptodateCalculator
from doit.task import Task

from buildlib.errors import BuildError

Check = Callable[..., bool]


class UpToDate(UptodateCalculator):  # type: ignore[misc] # doit has no type hints
    """An `uptodate` that asks `check(*arguments)`, and honours `doit forget`.

    doit's state is only asked whether a task was forgotten. A state that is missing, as after a
    fresh checkout or a kill, means nothing: the steps' own records decide.
    """

    # doit asks for the signature before each check; this saves it from finding it out.
    __signature__ = inspect.signature(lambda task: None)  # noqa: ARG005

    _state: JsonDB | None = None

    # `setup` sets the inherited attributes.
    def __init__(self, check: Check, *arguments: object) -> None:
        self._check = check
        self._arguments = arguments

    def setup(self, dep_manager: Dependency, tasks_dict: dict[str, Task]) -> None:
        """Take doit's state and tasks; called before each check."""
        self._state = dep_manager.backend
        self.tasks_dict = tasks_dict

    def __call__(self, task: Task) -> bool:
        """Tell doit whether the task is up to date."""
        try:
            done = self._check(*self._arguments)
        except (BuildError, OSError):
            return False  # the step will say the same, in a way that doit shows well
        return done and not self._is_forgotten(task.name)

    def _is_forgotten(self, name: str) -> bool:
        if self._state is None or self._state.in_(name):
            return False
        ask = getattr(self._state, "is_forgotten", None)
        # To another backend than ours, a task that is missing was forgotten.
        return bool(ask(name)) if ask else True

    def __repr__(self) -> str:
        """Return the text that `doit info` shows of a task that is not up to date."""
        return self._check.__name__.replace("_", " ")


class LockUpToDate(UpToDate):
    """The same for a lock; one that was named on the command line is resolved again on purpose."""

    def __call__(self, task: Task) -> bool:
        """Tell doit whether the lock is up to date."""
        if _is_named(task, self.tasks_dict, "lock"):
            task.init_options()
            task.options["renew"] = True
            return False
        return super().__call__(task)


class ZipUpToDate(UpToDate):
    """The same for a ZIP; one that was named on the command line must be in dist/ afterwards.

    Otherwise it is enough that the store has it: `hash` puts it into dist/.
    """

    def __init__(self, check: Check, is_published: Check, group: str, *arguments: object) -> None:
        super().__init__(check, *arguments)
        self._all = check
        self._is_published = is_published
        self._group = group

    def __call__(self, task: Task) -> bool:
        """Tell doit whether the ZIP is up to date."""
        named = _is_named(task, self.tasks_dict, "zip", self._group)
        self._check = self._is_published if named else self._all
        return super().__call__(task)


def _is_named(task: Task, tasks: dict[str, Task], *groups: str) -> bool:
    """Tell whether a task, or a group that it is in, was selected by name.

    doit has parsed the options of selected tasks only when it asks whether a task is up to date.
    """
    selected = [task, *(tasks[group] for group in groups if group in tasks)]
    return any(one.options is not None for one in selected)
