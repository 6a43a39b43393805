"""The flow of a build: tasks, rows and edges."""

import pytest

from buildlib.commands.report import flow
from buildlib.commands.report.facts import Lock
from tests.pages import build

LOCK = Lock("lambdas/api/requirements.lock", 1.25)


def test_tasks_of_several_variants() -> None:
    """One lock and one index for all; each variant has its row, each task its state."""
    found = flow.build_flow(
        [
            build("api-1", "api"),
            build("api-2", "api", origin="store", seconds={"hash": 0.02}),
            build("api-3", "api", written=None, seconds={}),
        ],
        LOCK,
        {},
    )
    assert [task.step for task in found.tasks].count("lock") == 1
    assert [task.step for task in found.tasks].count("index") == 1
    notes = {(task.step, task.subject[-5:]): task.note for task in found.tasks}
    assert notes["venv", "api-1"] == "2.5 s"
    assert notes["hash", "api-1"] == "done by zip"
    assert notes["zip", "api-2"] == "from cache"
    assert notes["hash", "api-2"] == "20 ms"
    assert notes["venv", "api-3"] == "not built"
    assert [row.name for row in found.rows] == ["api-1", "api-2", "api-3"]
    places = {(node.column, node.row) for node in found.nodes}
    for edge in found.edges:
        assert {(edge.column, edge.row), (edge.to_column, edge.to_row)} <= places


def test_shared_environment() -> None:
    """Variants of other functions that use an environment are in the picture, and in the table."""
    found = flow.build_flow([build("api")], LOCK, {"e1e1e1e1": ["jobs", "keys"]})
    assert [node.title for node in found.nodes if node.state == "other"] == ["2 others"]
    (task,) = (task for task in found.tasks if task.step == "venv")
    assert task.subject == "environment e1e1e1e1, for api and jobs, keys"
    assert flow.build_flow([build("api")], LOCK, {"other": ["jobs"]}).rows[1:] == []


def test_without_a_lock() -> None:
    """A function without requirements begins with its environment."""
    found = flow.build_flow([build("api", environment="")], Lock(None, None), {})
    assert [task.step for task in found.tasks][:1] == ["venv"]
    assert min(node.column for node in found.nodes) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.0124, "12 ms"), (1.24, "1.2 s"), (59.9, "59.9 s"), (200.4, "3 min 20 s")],
)
def test_times(seconds: float, text: str) -> None:
    """A time is as exact as anyone cares."""
    assert flow.shown(seconds) == text
