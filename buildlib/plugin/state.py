"""doit's own state in one JSON file that survives kills, crashes and two runs at once.

doit's JSON backend writes in place and stops at a damaged file. Here the file is replaced in one
step, and a damaged one counts as lost: every step leaves a record of its own, so nothing is rebuilt
for it.
"""

import logging
from pathlib import Path
from typing import Any

from doit.dependency import JsonDB

from buildlib.files import atomic, records

_logger = logging.getLogger("buildlib")


_FORGOTTEN = "forgotten:"


_ALL = "*"


# What doit puts into a task's entry besides the states of its file_dep.
_ENTRY = {"deps:": records.list_of(records.text), "checker:": records.text}


_SHAPE = records.map_of(
    records.text,
    lambda entry: (
        isinstance(entry, dict)
        and all(_ENTRY[name](value) for name, value in entry.items() if name in _ENTRY)
    ),
)


def is_any_forgotten(path: Path) -> bool:
    """Tell whether a task is marked as forgotten in a state file."""
    try:
        return f'"{_FORGOTTEN}"'.encode() in path.read_bytes()
    except OSError:
        return False


class JsonState(JsonDB):  # type: ignore[misc] # doit has no type hints
    """The backend `lambdas` of doit: as `json`, but safe, and it marks forgotten tasks.

    doit removes a task's entry when the user says `doit forget`, where a mark stays in its place,
    and when the task fails. An entry that is missing without a mark, as after a failure or a kill,
    means nothing: a task whose inputs go back to their earlier state is up to date again.
    """

    desc = "JSON, replaced in one step"

    def __init__(self, name: str, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - doit's
        self._changed = False
        self._is_read = False
        super().__init__(name, *arguments, **options)

    def _load(self) -> dict[str, Any]:
        value: dict[str, Any] | None = records.read(Path(self.name), _SHAPE)
        return value or {}

    def dump(self) -> None:
        """Save the state, if there is something new; one that cannot be written is lost."""
        if not self._changed:
            return
        try:
            text = self.codec.encode(self._db)
            atomic.write(Path(self.name), records.sealed(text.encode()))
        except OSError as error:
            # doit would show a traceback, and no summary of the run.
            _logger.warning("%s cannot be written: %s", self.name, error.strerror)

    def get(self, task_id: str, dependency: str) -> Any:  # noqa: ANN401 - any JSON
        """Return something that was recorded of a task; None if nothing was."""
        self._is_read = True
        return super().get(task_id, dependency)

    def set(self, task_id: str, dependency: str, value: object) -> None:
        """Record something of a task; it is no longer forgotten."""
        self._changed = True
        super().set(task_id, dependency, value)
        self._db[task_id].pop(_FORGOTTEN, None)

    def in_(self, task_id: str) -> bool:
        """Tell whether anything is known of a task."""
        return task_id in self._db and _FORGOTTEN not in self._db[task_id]

    def remove(self, task_id: str) -> None:
        """Forget a task that the user names, or drop the entry of one that failed."""
        self._changed = True
        # Before doit runs a task it reads whether that is ignored; `doit forget` reads nothing.
        if not self._is_read:
            self._db[task_id] = {_FORGOTTEN: True}
        elif not self.is_forgotten(task_id):
            self._db.pop(task_id, None)

    def remove_all(self) -> None:
        """Forget every task."""
        self._changed = True
        self._db = {_ALL: {_FORGOTTEN: True}}

    def is_forgotten(self, task_id: str) -> bool:
        """Tell whether a task must run because it was forgotten."""
        return not self.in_(task_id) and (task_id in self._db or _ALL in self._db)
