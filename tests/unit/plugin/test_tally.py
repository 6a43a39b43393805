"""The counts of a run."""

import pytest
from doit.task import Task

from buildlib.model import Written
from buildlib.plugin import meta
from buildlib.plugin.tally import Tally
from buildlib.steps.summary import BUILT, DESCRIBED, FAILED, INTERRUPTED, Done
from tests.unit.plugin.conftest import Make


@pytest.fixture
def tally() -> Tally:
    """Give the tally of a run that did nothing yet."""
    return Tally()


def step(task: Task) -> meta.Meta:
    found = meta.read(task)
    assert found
    return found


def test_nothing(tally: Tally) -> None:
    """A run without a variant has no closing line."""
    assert tally.totals(tally.outcomes()) == ""


def test_unchanged(tally: Tally, ours: Make) -> None:
    """A variant counts once, however many of its steps had nothing to do."""
    for name in ("venv", "hash"):
        tally.skip(step(ours(name, "api")))
        tally.skip(step(ours(name, "jobs")))
    assert tally.totals(tally.outcomes()) == "2 unchanged"


def test_the_first_failure_counts(tally: Tally, ours: Make) -> None:
    """A variant failed at the step that failed first; others only waited for it."""
    for name in ("stage", "touch", "zip"):
        tally.fail(step(ours(name, "api")), 0.5)
    outcome, *rest = tally.outcomes()
    assert not rest
    assert (outcome.id, outcome.done, outcome.why, outcome.seconds) == (
        "api", FAILED, "at stage", 1.5,
    )  # fmt: skip
    assert tally.totals([outcome]).startswith("1 failed in ")


def test_interrupted(tally: Tally, ours: Make, other: Make) -> None:
    """A variant is interrupted at the step that runs, or after its last one; never unchanged."""
    tally.skip(step(ours("venv", "looked")))
    tally.skip(step(ours("hash", "finished")))
    tally.start(ours("stage", "running"))
    tally.start(other("mine"))
    tally.succeed(step(ours("venv", "waiting")), 1.0, Done())
    tally.interrupt()
    outcomes = tally.outcomes()
    assert [(one.id, one.done, one.why) for one in outcomes] == [
        ("running", INTERRUPTED, "at stage"),
        ("waiting", INTERRUPTED, "after venv"),
    ]
    assert tally.totals(outcomes).startswith("1 unchanged, 2 interrupted in ")


def test_seconds(tally: Tally, ours: Make) -> None:
    """A task that never started took no time, and one that ended is no longer running."""
    task = ours("venv", "api")
    assert tally.end(task) is None
    tally.start(task)
    assert [one.task for one in tally.look()[0]] == [task]
    assert tally.end(task) is not None
    assert tally.look()[0] == []


def test_look(tally: Tally, ours: Make, other: Make) -> None:
    """The line below running tasks counts each variant once; tasks of others are not shown."""
    tally.start(ours("venv", "api"))
    tally.start(other("mine"))
    tally.skip(step(ours("hash", "old")))
    tally.succeed(step(ours("zip", "new")), 1.0, Done())
    tally.fail(step(ours("stage", "bad")), 1.0)
    running, closing = tally.look()
    assert [(one.meta.step, one.meta.variants) for one in running] == [("venv", ("api",))]
    assert closing.startswith("1 running, 1 done, 1 unchanged, 1 failed, ")


def test_a_variant_counts_once(tally: Tally, ours: Make) -> None:
    """A variant of which one step had nothing to do and another ran is not unchanged."""
    tally.skip(step(ours("venv", "api")))
    tally.fail(step(ours("stage", "api")), 1.0)
    assert tally.totals(tally.outcomes()).startswith("1 failed in ")


def test_a_variant_between_two_steps(tally: Tally, ours: Make) -> None:
    """A variant that waits for its next step counts as running, like one whose step runs."""
    tally.succeed(step(ours("venv", "api")), 1.0, Done())
    assert tally.look()[1].startswith("1 running, ")


def test_what_steps_did(tally: Tally, ours: Make) -> None:
    """The outcome is what the steps say: the build, also if the ZIP is described again after it."""
    written = Written("ab" * 32, 3, 5)
    tally.succeed(step(ours("zip", "api")), 1.0, Done(BUILT, ("app.py changed",), written, None))
    tally.succeed(step(ours("hash", "api")), 0.5, Done(DESCRIBED, ("asked",), written, written))
    (outcome,) = tally.outcomes()
    assert outcome == ("api", BUILT, "app.py changed", written, None, 1.5)


def test_steps_without_a_zip(tally: Tally, ours: Make) -> None:
    """A run that ends before the ZIP says which steps it did."""
    tally.succeed(step(ours("venv", "api")), 1.0, Done())
    assert [one.done for one in tally.outcomes()] == ["venv only"]
