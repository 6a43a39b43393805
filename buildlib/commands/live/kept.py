"""The last answers of `lambdas drift`, in build/ for the report, which asks AWS nothing."""

import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from buildlib.commands.live.compare import SAME, Finding
from buildlib.commands.report import revision
from buildlib.files import locks, records
from buildlib.layout import Layout


class Row(NamedTuple):
    """The result for one function, or for one layer that a function uses."""

    id: str
    function: str
    state: str
    text: str
    notes: Sequence[str]

    @property
    def is_same(self) -> bool:
        """Whether the deployed code is that of the commit."""
        return self.state == SAME


class Answer(NamedTuple):
    """An answer about all functions, for an environment and an alias, which may be empty.

    `time` is in ISO 8601, and `commit` the one that was compared, if there is one.
    """

    env: str
    alias: str
    time: str
    commit: str
    rows: Sequence[Row]

    @property
    def when(self) -> str:
        """The time, to the minute."""
        return f"{self.time[:16].replace('T', ' ')} UTC"

    @property
    def title(self) -> str:
        """The environment and the alias in words."""
        parts = ((self.env, f"environment {self.env}"), (self.alias, f"alias {self.alias}"))
        return ", ".join(text for name, text in parts if name) or "all functions"


def keep(layout: Layout, env: str, alias: str, findings: Sequence[Finding]) -> None:
    """Replace the last answer for this environment and alias, if build/ can be written."""
    rows = [Row(one.id, one.function, one.state, one.text, one.notes) for one in findings]
    time = datetime.now(UTC).isoformat(timespec="seconds")
    commit = revision.read(layout.root, os.environ).commit
    answer = Answer(env, alias, time, commit, rows)
    with contextlib.suppress(OSError), locks.locked(layout.lock("drift")):
        others = [one for one in read(layout) if (one.env, one.alias) != (env, alias)]
        records.write(layout.drift, sorted([*others, answer], key=lambda one: (one.env, one.alias)))


def read(layout: Layout) -> list[Answer]:
    """Return the last answer for each environment and alias."""
    found = records.read(layout.drift, _SHAPE) or []
    return [Answer(*one)._replace(rows=[Row(*row) for row in one[-1]]) for one in found]


_ROW = records.row(
    records.text, records.text, records.text, records.text, records.list_of(records.text)
)

_SHAPE = records.list_of(
    records.row(records.text, records.text, records.text, records.text, records.list_of(_ROW))
)
