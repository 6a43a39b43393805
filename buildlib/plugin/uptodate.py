"""How doit learns whether a task has anything to do: it asks the one decider."""

import inspect
from collections.abc import Callable
from typing import Any

from doit.dependency import Dependency, UptodateCalculator
from doit.task import Task

from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import pending, run

# Returns why there is something to do; None if there is not.
Reason = Callable[..., str | None]

META = "lambdas"

FORGOTTEN = "its state was forgotten (doit forget)"


class UpToDate(UptodateCalculator):  # type: ignore[misc] # doit has no type hints
    """An `uptodate` that asks `reason(*arguments)`, and honours `doit forget`.

    doit's state is only asked whether a task was forgotten. A missing state, as after a fresh
    checkout or a kill, means nothing: the steps' own records decide.
    """

    # doit asks for the signature before each check; this saves it from finding it out.
    __signature__ = inspect.signature(lambda task, values: None)  # noqa: ARG005

    def __init__(self, reason: Reason, *arguments: object) -> None:
        super().__init__()
        self._reason = reason
        self._arguments = arguments
        self._state: Dependency | None = None

    def setup(self, dep_manager: Dependency, tasks_dict: dict[str, Task]) -> None:
        """Take doit's state; called before each check."""
        super().setup(dep_manager, tasks_dict)
        self._state = dep_manager
        dep_manager.backend.runs = True

    def ask(self, task: Task) -> str | None:  # noqa: ARG002 - for subclasses
        """Return why the task has something to do."""
        return self._reason(*self._arguments)

    def __call__(self, task: Task, values: dict[str, Any]) -> bool:  # noqa: ARG002 - doit's names
        """Tell doit whether the task is up to date, and the task's action why it is not."""
        try:
            why = self.ask(task)
        except (BuildError, OSError):
            why = "its inputs cannot be read"  # the action says more, in a way that doit shows well
        is_forgotten = why is None and self._is_forgotten(task)
        if meta := task.meta and task.meta.get(META):
            meta["reason"] = why or ""
            meta["forced"] = FORGOTTEN if is_forgotten else ""
        return why is None and not is_forgotten

    def _is_forgotten(self, task: Task) -> bool:
        """Tell whether the user forgot an up-to-date task; if not, keep its state."""
        if self._state is None or self._state.backend.in_(task.name):
            return False
        ask = getattr(self._state.backend, "is_forgotten", None)
        # To another backend than ours, a task that is missing was forgotten.
        if ask is None or ask(task.name):
            return True
        self._state.save_success(task)
        return False

    def __repr__(self) -> str:
        """Return the text that `doit info` shows for a task that is not up to date."""
        return self._reason.__name__.replace("_", " ").strip()


class LockUpToDate(UpToDate):
    """The same for a lockfile; one that was named on the command line is renewed on purpose."""

    def __call__(self, task: Task, values: dict[str, Any]) -> bool:
        """Tell doit whether the lockfile is up to date."""
        if _is_named(task, self.tasks_dict, "lock"):
            task.init_options()
            task.options["renew"] = True
            return False
        return super().__call__(task, values)


class StepUpToDate(UpToDate):
    """The same for a step of a variant.

    A ZIP that was named on the command line must be in dist/ afterwards. Otherwise it is enough
    that the store has it: `hash` puts it into dist/.
    """

    def __init__(self, project: Project, variant: Variant, step: str) -> None:
        super().__init__(pending.reason, project, variant, step)
        self._project, self._variant, self._step = project, variant, step
        self._group = f"{step}:{variant.function.name}"

    def ask(self, task: Task) -> str | None:
        """Return why the step has something to do; confirm a variant whose last step has not."""
        named = self._step == "zip" and _is_named(task, self.tasks_dict, "zip", self._group)
        task.meta[META]["named"] = named
        why = pending.reason(self._project, self._variant, self._step, named=named)
        if why is None and self._step == "hash":
            run.confirm(self._project, self._variant)
        return why


def _is_named(task: Task, tasks: dict[str, Task], *groups: str) -> bool:
    """Tell whether a task, or a group that it is in, was selected by name.

    doit has parsed the options only of those when it asks whether a task is up to date.
    """
    selected = [task, *(tasks[group] for group in groups if group in tasks)]
    return any(one.options is not None for one in selected)
