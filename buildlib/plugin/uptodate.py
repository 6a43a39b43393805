"""How doit learns whether a task has anything to do: it asks the one decider."""

import inspect
from collections.abc import Callable, Iterable

from doit.dependency import Dependency, JsonDB, UptodateCalculator
from doit.task import Task

from buildlib.plugin import actions, meta
from buildlib.plugin.meta import Asked

# Returns why there is something to do; None if there is not.
Reason = Callable[..., str | None]

_FORGOTTEN = "forgotten with doit forget"
_UNREADABLE = "its inputs cannot be read"


class UpToDate(UptodateCalculator):  # type: ignore[misc] # doit has no type hints
    """An `uptodate` that asks `reason(*arguments)`, and honours `doit forget`.

    doit's state is only asked whether a task was forgotten. A missing state, as after a fresh
    checkout or a kill, means nothing: the steps' own records decide.
    """

    # doit asks for the signature before each check; this saves it from finding it out.
    __signature__ = inspect.signature(lambda task: None)  # noqa: ARG005

    _state: JsonDB | None = None

    # `setup` sets the inherited attributes.
    def __init__(self, reason: Reason, *arguments: object) -> None:
        self._reason = reason
        self._arguments = arguments

    def setup(self, dep_manager: Dependency, tasks_dict: dict[str, Task]) -> None:
        """Take doit's state and tasks; called before each check."""
        self._state = dep_manager.backend
        self.tasks_dict = tasks_dict

    def is_named(self, task: Task) -> bool:  # noqa: ARG002 - for subclasses
        """Tell whether it matters that the task was asked for by its name, and it was."""
        return False

    def ask(self, *, named: bool) -> str | None:  # noqa: ARG002 - for subclasses
        """Return why the task has something to do."""
        return self._reason(*self._arguments)

    def __call__(self, task: Task) -> bool:
        """Tell doit whether the task is up to date, and the task's action why it is not."""
        named = self.is_named(task)
        try:
            why = self.ask(named=named)
        except Exception:  # noqa: BLE001 - the action fails, with a message that doit shows well
            why = _UNREADABLE
        is_forgotten = why is None and self._is_forgotten(task.name)
        meta.note_asked(task, Asked(why or "", _FORGOTTEN if is_forgotten else "", named))
        return why is None and not is_forgotten

    def _is_forgotten(self, name: str) -> bool:
        if self._state is None or self._state.in_(name):
            return False
        ask = getattr(self._state, "is_forgotten", None)
        # To another backend than ours, a task that is missing was forgotten.
        return bool(ask(name)) if ask else True

    def __repr__(self) -> str:
        """Return the text that `doit info` shows for a task that is not up to date."""
        return f"{self._reason.__name__.replace('_', ' ')}, which `doit why` explains"


class Forgotten(UpToDate):
    """An `uptodate` that tells a task's action which steps of a variant doit forgot."""

    def __init__(self, tasks: Iterable[str]) -> None:
        super().__init__(lambda: None)
        self._tasks = tuple(tasks)

    def __call__(self, task: Task) -> bool:
        """Note the tasks; the action runs at every call."""
        meta.note_forgotten(task, [name for name in self._tasks if self._is_forgotten(name)])
        return False


class LockUpToDate(UpToDate):
    """The same for a lockfile, which the tasks of several functions may share.

    The options of each of these tasks, and of the group, name the packages to upgrade. A lockfile
    of which a task was named may be written where others are frozen.
    """

    def __init__(
        self, reason: Reason, project: object, function: object, tasks: Iterable[str]
    ) -> None:
        super().__init__(reason, project, function)
        self._tasks = (*tasks, "lock")
        self._named = False

    def is_named(self, task: Task) -> bool:  # noqa: ARG002 - asked before
        """Tell whether a task of the lockfile was named."""
        return self._named

    def __call__(self, task: Task) -> bool:
        """Tell doit whether the lockfile is up to date."""
        self._named = _is_named(task, self.tasks_dict, *self._tasks)
        task.init_options()
        named = [self.tasks_dict[name] for name in self._tasks if name in self.tasks_dict]
        options = [one.options for one in (task, *named) if one.options]
        task.options["upgrade"] = any(some["upgrade"] for some in options)
        packages = {name for some in options for name in some["upgrade_package"]}
        task.options["upgrade_package"] = sorted(packages)
        if task.options["upgrade"] or packages:
            meta.note_asked(task, Asked("asked to upgrade", "", named=True))
            return False
        return super().__call__(task)


class ReportUpToDate(UpToDate):
    """The same for the report, whose option names an index to compare with."""

    def __call__(self, task: Task) -> bool:
        """Tell doit whether the page is up to date."""
        task.init_options()
        self._arguments = (*self._arguments[:1], task.options["against"])
        return super().__call__(task)


class StepUpToDate(UpToDate):
    """The same for a step of a variant.

    A ZIP that was named on the command line must be in dist/ afterwards. Otherwise it is enough
    that the cache has it: `hash` puts it into dist/.
    """

    def __init__(self, checks: actions.Checks, step: str, function: str) -> None:
        super().__init__(checks.reason, step)
        self._step = step
        self._group = f"{step}:{function}"

    def is_named(self, task: Task) -> bool:
        """Tell whether this is the step `zip`, and was named."""
        return self._step == "zip" and _is_named(task, self.tasks_dict, "zip", self._group)

    def ask(self, *, named: bool) -> str | None:
        """Return why the step has something to do."""
        return self._reason(*self._arguments, named=named)


def _is_named(task: Task, tasks: dict[str, Task], *groups: str) -> bool:
    """Tell whether a task, or a group that it is in, was selected by name.

    doit has parsed the options of selected tasks only when it asks whether a task is up to date.
    """
    selected = [task, *(tasks[group] for group in groups if group in tasks)]
    return any(one.options is not None for one in selected)
