"""The durations of steps."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.steps import times


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return the layout of an empty repository."""
    return Layout(tmp_path)


def test_the_last_time_counts(layout: Layout) -> None:
    """A step has the time of its last run, for the inputs of that run alone."""
    times.note(layout, "zip", "api", ("a", 1.5))
    times.note(layout, "zip", "api", ("b", 2.5))
    times.note(layout, "stage", "api", ("b", 0.25))
    known = times.read(layout)
    assert known.last("zip", "api") == ("b", 2.5)
    assert known.seconds("zip", "api", "a") is None
    assert known.seconds("stage", "api", "b") == 0.25
    assert known.last("zip", "other") is None


def test_damaged_lines(layout: Layout) -> None:
    """A line that is cut off, foreign or of another shape counts for nothing; the others stay."""
    times.note(layout, "zip", "api", ("a", 1.5))
    foreign = [b'["zip","api"', b"\xff\x00", b'["zip","api","a",true]', b"[" * 100_000, b'"text"']
    with layout.times.open("ab") as stream:
        stream.write(b"\n".join([*foreign, b""]))
    times.note(layout, "stage", "api", ("a", 0.5))
    known = times.read(layout).known
    assert known == {("zip", "api"): ("a", 1.5), ("stage", "api"): ("a", 0.5)}


def test_the_file_stays_small(layout: Layout) -> None:
    """A file of lines that no longer count is written anew, with the last line of each step."""
    line = json.dumps(["zip", "api", "k" * 64, 1.5])
    for number in range(3 * (1 << 16) // len(line)):
        times.note(layout, "zip", f"api{number % 3}", ("k" * 64, float(number)))
    assert os.stat(layout.times).st_size < 1.1 * (1 << 16)
    assert {name for _, name in times.read(layout).known} == {"api0", "api1", "api2"}


def test_many_functions_do_not_write_it_anew_each_time(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that all count stay: the file is written anew once for each doubling."""
    written = 0

    def count(*arguments: object, **options: object) -> None:
        nonlocal written
        written += 1
        write(*arguments, **options)  # type: ignore[arg-type]

    write = atomic.write
    monkeypatch.setattr(atomic, "write", count)
    for number in range(3000):
        times.note(layout, "zip", f"api{number}", ("k" * 64, 1.0))
    assert len(times.read(layout).known) == 3000
    assert written <= 2


def test_threads(layout: Layout) -> None:
    """Lines that are appended at the same time are all there."""
    with ThreadPoolExecutor(8) as pool:
        for number in range(400):
            pool.submit(times.note, layout, "zip", f"api{number}", ("k" * 64, 1.0))
    assert len(times.read(layout).known) == 400
