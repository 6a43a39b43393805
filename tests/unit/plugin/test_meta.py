"""Facts about a task for the reporter."""

from buildlib.plugin import meta
from tests.unit.plugin.conftest import Make


def test_ours(ours: Make) -> None:
    """A task of ours tells its step, its variants and its file."""
    assert meta.read(ours("zip", "api")) == ("zip", ("api",), "")
    assert meta.read(ours("report", shows="dist/report.html")) == ("report", (), "dist/report.html")


def test_another(other: Make) -> None:
    """A task of others tells nothing, also one with a `meta` of its own."""
    task = other("mine")
    assert meta.read(task) is None
    task.meta = {"theirs": 1}
    assert meta.read(task) is None
