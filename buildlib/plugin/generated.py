"""Sources that other tasks of a dodo.py make: those tasks come first, in the same run."""

from collections.abc import Iterator

from doit.dependency import Dependency, UptodateCalculator
from doit.task import Task

from buildlib.model import Function
from buildlib.plugin import meta
from buildlib.tree.sources import trees


class Makers(UptodateCalculator):  # type: ignore[misc] # doit has no type hints
    """An `uptodate` that finds the tasks which make a function's sources, for the task's action.

    Only here doit shows all tasks, after it has loaded them.
    """

    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    def setup(self, dep_manager: Dependency, tasks_dict: dict[str, Task]) -> None:
        """Take all tasks; called before the check."""
        super().setup(dep_manager, tasks_dict)
        self.tasks_dict = tasks_dict

    def __call__(self, task: Task) -> bool:
        """Note the tasks; the action hands them to doit at every run."""
        meta.note_makers(task, list(_makers(self._function, self.tasks_dict)))
        return False


def _makers(function: Function, tasks: dict[str, Task]) -> Iterator[str]:
    """Yield the names of tasks with a target among the sources of a function."""
    sources = [tree.path for tree in trees(function)]
    sources += function.requires.paths if function.requires else ()
    for task in tasks.values():
        if meta.read(task) is None and any(
            _is_below(target, source) or _is_below(source, target)
            for target in map(_plain, task.targets)
            for source in sources
        ):
            yield task.name


def _plain(target: object) -> str:
    return str(target).replace("\\", "/").removeprefix("./").rstrip("/")


def _is_below(path: str, folder: str) -> bool:
    return folder in {path, "."} or path.startswith(f"{folder}/")
