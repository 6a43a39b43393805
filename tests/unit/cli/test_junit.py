"""The JUnit report of a build."""

from pathlib import Path
from xml.etree import ElementTree as ET

from buildlib.cli import junit
from buildlib.model import Written
from buildlib.plugin.result import Result
from buildlib.steps.summary import BUILT, FAILED, INTERRUPTED, LEFT_OUT, Outcome


def outcome(name: str, done: str, why: str = "") -> Outcome:
    return Outcome(name, done, why, Written("a" * 64, 1, 2) if done == BUILT else None, None, 0.5)


def written(path: Path, report: ET.Element) -> ET.Element:
    """Return a report after it was a file."""
    junit.write(path, report)
    return ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own


def test_every_outcome(tmp_path: Path) -> None:
    """A variant is a case: failed with its message, skipped if it could not be built, or passed."""
    outcomes = [
        outcome("api", BUILT, "app.py changed"),
        outcome("bad", FAILED, "at stage"),
        outcome("box", LEFT_OUT),
        outcome("cut", INTERRUPTED, "at venv"),
    ]
    errors = {"bad": "no\nreally", "box": "no engine"}
    report = written(
        tmp_path / "r.xml", junit.of_result(Result(1, outcomes, ["zoo"], errors, [], 2.0))
    )
    suite = report[0]
    for element in (report, suite):
        counts = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "5", "failures": "1", "errors": "0", "skipped": "2"}
        assert element.get("time") == "2.000"
    cases = {case.get("name"): case for case in suite}
    assert [*cases] == ["api", "bad", "box", "cut", "zoo"]
    failure = cases["bad"].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("no", "no\nreally")
    skipped = cases["box"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "no engine"
    assert "app.py changed" in cases["api"].findtext("system-out", "")
    assert len(cases["zoo"]) == 0


def test_hostile_text(tmp_path: Path) -> None:
    """Whatever a message holds, the file is XML, and the message is shown."""
    message = "]]></failure>&<x>\x00\x1b[2J\ud800\uffff\ufffe\u202e"
    run = Result(1, [outcome("a", FAILED)], [], {"a": message}, [], 0.0)
    failure = written(tmp_path / "r.xml", junit.of_result(run)).find(".//failure")
    assert failure is not None
    assert failure.text == r"]]></failure>&<x>\x00\x1b[2J\ud800??\u202e"


def test_nothing_was_started(tmp_path: Path) -> None:
    """A mistake before the build is an error of the manifest."""
    error = written(tmp_path / "r.xml", junit.of_problem("lambdas.yaml:1: no")).find(".//error")
    assert error is not None
    assert error.get("message") == "lambdas.yaml:1: no"
