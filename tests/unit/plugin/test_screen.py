"""The table and the live lines on terminals of several widths."""

import io

import pytest

from buildlib.model import Written
from buildlib.plugin.screen import Running, Screen, _picture
from buildlib.steps.summary import BUILT, FAILED, Outcome

NAME = "team_keys-py3.12-x86_64"
WHY = "requirements.lock: requests 2.32.4 -> 2.32.5"
WRITTEN = Written("0123456789ab" + "c" * 52, 22_600_000, 73_300_000)


def table(monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    outcomes = [
        Outcome(NAME, BUILT, WHY, WRITTEN, None, 0.3),
        Outcome("api", FAILED, "at stage", None, None, 0.0),
    ]
    Screen(stream, lambda: ([], ""), lambda: "").table(outcomes)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        (140, "variant done why zipped unzipped time sha256"),
        (100, "variant done why zipped unzipped time sha256"),
        (90, "variant done why zipped unzipped time"),
        (80, "variant done why zipped time"),
    ],
)
def test_the_table_fits(monkeypatch: pytest.MonkeyPatch, columns: int, titles: str) -> None:
    """A narrow terminal has fewer columns; names and hashes are whole, reasons are folded."""
    lines = table(monkeypatch, columns)
    assert lines[0].split() == titles.split()
    assert max(map(len, lines)) <= columns
    assert lines[1].startswith(f"{NAME}  built  ")
    assert ("0123456789ab" in lines[1]) == ("sha256" in titles)
    start = lines[0].index("why")
    folded = [line[start:].split("  ")[0] for line in lines[1:-1]]
    assert "".join(folded).replace(" ", "") == WHY.replace(" ", "")


def test_what_a_step_is_at_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long note about a step is cut, and not the names before it."""
    from rich.console import Console

    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    running = [Running(NAME, "venv", 1.0, "uv: " + "x" * 200), Running("api", "stage", 0.0, "")]
    Console(file=stream).print(_picture(running, "1 running", 40, 80))
    lines = stream.getvalue().splitlines()
    assert lines[0][1:].startswith(f" {NAME} venv  1 s uv: xxx")
    assert len(lines[0]) == 80
