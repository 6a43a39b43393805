"""The tasks of one function, as a chart and as a table."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from buildlib.commands.report.charts import Edge, Node, Row
from buildlib.commands.report.facts import Build, Lock
from buildlib.steps.pending import STEPS

_NAMES = ("lock", *(step.name for step in STEPS), "index")


_COLUMN = {name: number for number, name in enumerate(_NAMES)}


# The variants that are named of those that share an environment.
_SHOWN = 5


_LAST = _COLUMN["index"]


class Task(NamedTuple):
    """A task: its subject, its dependency, its state and a note about it; `seconds` if it ran."""

    step: str
    subject: str
    needs: str
    state: str
    note: str
    seconds: float | None


class Flow(NamedTuple):
    """The tasks of a function, and the parts of their chart."""

    tasks: list[Task]
    nodes: list[Node]
    edges: list[Edge]
    rows: list[Row]


def build_flow(builds: Sequence[Build], lock: Lock, sharing: dict[str, list[str]]) -> Flow:
    """Return the tasks of the variants of one function.

    `sharing` has the variants of other functions that use an environment, by the environment's id.
    """
    flow = Flow([], [], [], [])
    middle = (len(builds) - 1) / 2
    if lock.path:
        note = shown(lock.seconds) if lock.seconds is not None else "committed"
        state = "reused" if lock.seconds is None else "ran"
        task = Task("lock", lock.path, "", state, note, lock.seconds)
        _add(flow, task, middle)
    others = 0
    for row, build in enumerate(builds):
        if lock.path:
            flow.edges.append(Edge(0, middle, 1, row))
        for task in _tasks(build, lock, sharing):
            _add(flow, task, row)
        flow.edges.extend(Edge(n, row, n + 1, row) for n in range(1, _LAST - 1))
        flow.edges.append(Edge(_LAST - 1, row, _LAST, middle))
        flow.rows.append(Row(row, build.id))
        if names := sharing.get(build.environment):
            below = len(builds) + others
            others += 1
            title = f"{len(names)} other{'s' if len(names) > 1 else ''}"
            flow.nodes.append(Node(2, below, title, "same venv", "other"))
            flow.edges.append(Edge(1, row, 2, below))
            flow.rows.append(Row(below, _few(names)))
    _add(
        flow, Task("index", "dist/lambdas.json", "every hash", "ran", "all variants", None), middle
    )
    return flow


def _few(names: Sequence[str]) -> str:
    """Return the first names: a thousand functions may share an environment."""
    more = len(names) - _SHOWN
    return ", ".join(names if more <= 0 else [*names[:_SHOWN], f"{more} more"])


def _add(flow: Flow, task: Task, row: float) -> None:
    flow.tasks.append(task)
    flow.nodes.append(Node(_COLUMN[task.step], row, task.step, task.note, task.state))


def _tasks(build: Build, lock: Lock, sharing: dict[str, list[str]]) -> Iterator[Task]:
    needs = f"lock of {build.function}" if lock.path else ""
    for step in STEPS:
        seconds = build.seconds.get(step.name)
        if build.written is None:
            state, note = "missing", "not built"
        elif seconds is not None:
            state, note = "ran", shown(seconds)
        elif build.is_stored and step.name == "zip":
            state, note = "reused", "from cache"
        elif step.name == "hash" and "zip" in build.seconds:
            state, note = "reused", "done by zip"
        else:
            state, note = "reused", "reused"
        subject = build.id
        if step.name == "venv" and build.environment:
            subject = f"environment {build.environment}, for {build.id}"
            if names := sharing.get(build.environment):
                subject += f" and {_few(names)}"
        yield Task(step.name, subject, needs, state, note, seconds)
        needs = step.name


def shown(seconds: float) -> str:
    """Return a duration for people: `12 ms`, `1.2 s`, `3 min 20 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    return "{:.0f} min {:.0f} s".format(*divmod(round(seconds), 60))
