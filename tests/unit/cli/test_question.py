"""Commands that ask a question: 1 is an answer that is no success, 2 is none."""

from collections.abc import Callable

import pytest

from buildlib.cli import common, fleet
from buildlib.commands.live import drift
from buildlib.commands.live.compare import (
    BEHIND,
    FAILED,
    MISSING,
    SAME,
    SIGNED,
    UNDECIDED,
    UNMAPPED,
    Finding,
)
from buildlib.commands.ready.answer import Answer
from buildlib.errors import AwsError, ManifestError, NotStarted


def raising(error: BaseException) -> Callable[[], int]:
    """Return a command that ends with an error."""

    @common.question
    def command() -> int:
        raise error

    return command


def test_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that leaves the question open is 2, and is shown."""
    assert raising(AwsError("no credentials"))() == 2
    assert raising(FileNotFoundError(2, "No such file", "x.zip"))() == 2
    shown = capsys.readouterr().err
    assert "error: no credentials" in shown
    assert "x.zip" in shown


@pytest.mark.parametrize(
    "error", [ManifestError("x"), NotStarted("x"), BrokenPipeError(), KeyboardInterrupt()]
)
def test_other_ends(error: BaseException) -> None:
    """A wrong manifest or name is 3, as for all commands, and a closed pipe or Ctrl-C its own."""
    with pytest.raises(type(error)):
        raising(error)()


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([SAME], 0),
        ([SAME, SIGNED], 2),
        ([SAME, UNMAPPED], 2),
        ([SAME, BEHIND], 1),
        ([MISSING], 1),
        ([SAME, FAILED], 2),
        ([UNDECIDED], 2),
        ([UNMAPPED], 2),
        ([], 2),
        ([BEHIND, FAILED], 1),
    ],
)
def test_drift(states: list[str], code: int) -> None:
    """Code that differs is 1, even if another function gives no answer; no answer alone is 2."""
    assert drift.exit_code([Finding("api", "", state, "") for state in states]) == code


def test_ready() -> None:
    """An obstacle comes before a function without an answer."""
    found = Answer("3.14", [], [], [], {}, {}, {}, "2026-11-29")
    assert fleet.code_of(found) == 0
    assert fleet.code_of(found._replace(errors={"api": "no lock"})) == 2
    assert fleet.code_of(found._replace(errors={"api": "no lock"}, code={"jobs": ["cgi"]})) == 1
